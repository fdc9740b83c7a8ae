"""The words by which a report is understood, in English and Korean: what a heading is about, and what counts as an answer.

They are looked for in text of small letters. A word of Latin letters may be followed by a Korean ending ("adamw를").
"""

import re

QUESTIONS = ("optimiser", "first", "next", "overfitting", "hyper")
TOPICS = ("data", *QUESTIONS, "results", "limits")
TITLES = {
    "data": "Data card (데이터 카드)",
    "optimiser": "Question 1. Optimiser and loss (최적화 기법과 손실 함수)",
    "first": "Question 2. The first network (첫 번째 신경망)",
    "next": "Question 3. Networks tried next (다음에 시도한 신경망)",
    "overfitting": "Question 4. Against overfitting (과적합 대책)",
    "hyper": "Question 5. Hyper-parameters and why (하이퍼파라미터와 그 이유)",
    "results": "Results (결과)",
    "limits": "Limits (한계)",
}
SHORT = {topic: title.partition(" (")[0] for topic, title in TITLES.items()}


def words(text: str) -> re.Pattern:
    """Any of these patterns, parted by a comma and a blank; never inside a longer Latin word."""
    patterns = re.split(r",\s+", text.strip())
    return re.compile(rf"(?<![a-z])(?:{'|'.join(patterns)})(?![a-z])")


HEADINGS = {
    "data": words(r"""data(?: ?(?:card|sets?))?(?! ?aug), pictures we used,
        데이터 ?(?:카드|셋|세트|설명|소개)?(?! ?증강), 자료"""),
    "optimiser": words(r"""optimi[sz](?:er|ers|ation|ing), loss(?:es)?, how (?:it|the network|the model) learns,
        최적화, 옵티마이저, 손실"""),
    "first": words(r"""first, baselines?, base model, starting point, where (?:we|i) (?:began|started),
        첫, 처음, 베이스라인, 기준 ?모델"""),
    "next": words(r"""next, tried, attempts?, experiments?, ablations?, other (?:networks|models), after that, comparison, improvements?,
        다음, 이후, 시도, 실험, 절제, 비교, 개선, 다른 ?(?:모델|신경망), 후속"""),
    "overfitting": words(r"""over-?fit\w*, regulari[sz]\w*, generali[sz]\w*, memori[sz]ing,
        과적합, 오버피팅, 과대적합, 규제, 일반화"""),
    "hyper": words(r"""hyper-?\s?parameters?, settings, knobs, configuration, 하이퍼, 초매개변수, 설정"""),
    "results": words(r"""results?, evaluation, ap report, confusion matrix, what came out, scores?,
        결과, 평가, 성능, 혼동 ?행렬"""),
    "limits": words(r"""limits?, limitations?, weakness(?:es)?, shortcomings?, threats, caveats,
        what (?:it|the numbers|we) (?:does|do|cannot|can't|would) ?(?:not)?.*, 한계, 제한점?, 약점, 아쉬운"""),
}

OPTIMISERS = words(r"""sgd, n?adamw?, rms-?prop, adagrad, adadelta, lion, lamb, l-?bfgs, momentum, nesterov, stochastic gradient,
    gradient descent, 경사 ?하강, 모멘텀, 아담""")
LOSSES = words(r"""(?:binary )?cross[- ]?entropy, bce, nll, focal(?: loss)?, [cdg]iou, iou loss, mse, (?:mean )?squared error,
    smooth[- ]?l1, l[12](?: loss)?, huber, dice, hinge, triplet, kl(?:[- ]div\w*)?, dfl, distribution focal, log loss,
    교차 ?엔트로피, 크로스 ?엔트로피, 평균 ?제곱, 포컬, 다이스""")
NETWORKS = words(r"""lenet, alexnet, vgg[-\d]*, (?:se-?)?resne[x]?t[-\d]*, densenet[-\d]*, inception, xception, mobilenet[-v\d]*,
    efficientnet[-\w\d]*, shufflenet, squeezenet, convnext, vit, transformer, yolo[-\w\d]*, ssd, retinanet, (?:fast(?:er)? )?r-?cnn,
    u-?net, detr, mlp, perceptron, conv\w*, layers?, linear, logistic, centroid, majority, hog, svm, nearest neighbou?rs?, backbone,
    합성곱, 컨볼루션, 층, 레이어, 퍼셉트론, 선형, 로지스틱, 다수, 백본, 중심""")
MEASURES = words(r"""augment\w*, flip\w*, mosaic, crop\w*, mix-?up, cut-?(?:mix|out), jitter, drop-?out, weight decay, l2,
    early[- ]stop\w*, (?:label )?smooth\w*, fr[eo]ez\w*, frozen, fine-?tun\w*, pre-?train\w*, ema, averag\w*,
    (?:fewer|less) (?:layers|parameters|weights|channels), smaller (?:network|model|head|backbone), batch ?norm\w*, stochastic depth,
    more (?:data|pictures|images), 증강, 뒤집, 모자이크, 드롭 ?아웃, 가중치 ?감쇠, 조기 ?(?:종료|중단), 얼리 ?스토핑, 스무딩, 동결,
    사전 ?학습, 전이 ?학습, 배치 ?정규화, 작은 (?:모델|신경망)""")
KNOBS = words(r"""learning rates?, lr, batch(?:es)?(?: size)?, epochs?, steps?, iterations?, weight decay, momentum, image size, imgsz,
    warm-?up, schedules?, cosine, thresholds?, confidence, patience, anchors?, drop-?out,
    학습률, 배치, 에폭, 에포크, 스텝, 감쇠, 이미지 ?크기, 입력 ?크기, 웜업, 임계""")
REASONS = words(r"""because, since, so that, as (?:it|the|we|they|a|our), in order to, why, reasons?, therefore, hence, due to, thanks to,
    otherwise, to (?:avoid|keep|prevent|reduce|make|let|stop|fit|save|get|see|find), which (?:keeps?|lets?|makes?|is why|costs?),
    diverge[ds]?, best (?:of|on|among), ha[sd] the best, chosen (?:on|by|among), did(?: not|n't) (?:fit|rise|help|converge), defaults?,
    not (?:searched|tuned), untuned,
    기본값, 때문, 이유, 위해, 위하여, 므로, 그래서, 따라서, 덕분, 왜냐, 니까, 인해, 도록, 해서, 어서, 아서""")
SOURCES = words(r"""sources?, from, (?:we|i) (?:took|drew|filmed), taken (?:by|with|in), collect\w*, download\w*, kaggle, generat\w*,
    photograph\w*, recorded,
    출처, 수집, 생성, 다운로드, 촬영, 데이터셋\(, 찍은, 찍었""")
LICENCES = words(r"""licen[sc]\w*, cc[- ]?(?:by|0)\S*, public domain, mit, apache, gpl, copyright, own(?:ed)? (?:pictures|photographs),
    라이선스, 라이센스, 저작권""")
SPLITS = words(r"""split\w*, train\w*, val\w*, test, held[- ]out, folds?, 훈련, 학습, 검증, 테스트, 시험, 분할, 나누, 나눴""")
APS = words(r"""m?ap(?:50|75|@\S*| ?\d\d)?, average precision, 평균 ?정밀도""")
CLASS_SCORES = words(r"""accuracy, (?:macro[- ]?)?f1(?:-score)?, precision, recall, 정확도, 재현율, 정밀도""")
CONFUSION = words(r"""confusion(?: matrix)?, 혼동 ?행렬, 오차 ?행렬, f1 of each, per class, each class, 클래스별""")
EVALUATORS = words(r"""coursekit, pycocotools, coco(?:'s)?, voc(?: ?20\d\d)?, torchmetrics, ultralytics, scikit(?:-learn)?, sklearn,
    padilla, detectron2?, mmdet(?:ection)?""")
HELD_OUT = words(r"""val(?:idation)?, test, held[- ]out, public, private, unseen, 검증, 테스트, 시험, 평가용""")
COUNTED = re.compile(
    r"\d[\d,]* ?(?:[a-z]+[- ]){0,2}(?:pictures|images|photos|photographs|crops|scenes)|\d[\d,]* ?장"
    r"|(?:images|pictures|사진|이미지)\W{1,4}\d"
)
SEEDS = words(r"""seeds?, 시드""")
CLAIMS = words(r"""best, better, outperform\w*, superior, state[- ]of[- ]the[- ]art, sota, excellent, perfect\w*,
    very (?:good|high|accurate|well), 최고, 가장 (?:좋|높|우수|정확|뛰어)\S*, 더 (?:좋|나은|낫|높|우수)\S*, 뛰어[나난]\S*, 우수\S*, 월등\S*,
    완벽\S*""")
NO_CLAIM = re.compile(
    r"best(?:\.pt|[- ](?:epochs?|checkpoints?|weights|thresholds?|confidence|score first|known|practices?|of n|f1))"
    r"|better (?:than nothing|known)"
)
CONCRETE = words(r"""night, dark\w*, rain, snow, fog, light, blur\w*, small, tiny, large, occlu\w*, hidden, crowd(?:s|ed)?, side, profile,
    angle, camera, countr(?:y|ies), unseen, rare, class(?:es)?, domain, distan\w*, speed,
    밤, 야간, 어두, 빗, 안개, 조명, 흐린, 흐림, 작은, 가려, 가림, 옆, 각도, 카메라, 드문, 클래스, 거리""")
TABLE = re.compile(r"(?<![a-z])tables?(?![a-z])|(?<![가-힣])표")
LEFT = re.compile(r"\[write:[^\]\n]{0,200}\]?|(?<![a-z])(?:todo|tbd|fixme|lorem ipsum)(?![a-z])|\?\?\?|(?<![a-z])xxx+(?![a-z])")
