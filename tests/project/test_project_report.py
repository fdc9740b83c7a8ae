import json
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.data.data_card import DataCard
from coursekit.project.ablation import ablation_table
from coursekit.project.report import TOPICS, report_gaps, report_template, sections_about
from coursekit.project.report_check import gaps

GOOD = """# Report: who wears a mask?

## Data card (데이터 카드)

480 generated scenes of faces, 1,930 boxes in three classes; 79 % wear a mask, 3 % wear it badly. Source: drawn by coursekit. Licence: MIT.
Split by picture: 320 to train, 80 for validation, 80 for the test. 12 boxes ended outside their picture and were clipped.

## Question 1. Optimiser and loss (최적화 기법과 손실 함수)

AdamW with a learning rate of 0.002, because SGD needed twice the steps for the same AP. The loss is CIoU for the boxes and binary
cross-entropy for the classes, weighted 7.5 to 0.5, as the head was designed for it.

## Question 2. The first network (첫 번째 신경망)

A grid detector of five convolutions on one map: AP50 0.31 on validation, beside 0.04 for always saying the mean box.

## Question 3. Networks tried next (다음에 시도한 신경망)

| | seeds | AP50, mean ± std | difference | changed |
|---|---:|---:|---:|---|
| YOLO n | 3 | 0.712 ± 0.011 |  | baseline |
| no mosaic | 3 | 0.664 ± 0.014 | -0.048 | mosaic |
| pretrained on signs | 3 | 0.741 ± 0.009 | +0.029 | start |

Starting from the signs' weights is better than from nothing by 0.029, more than the spread over the seeds.

## Question 4. Against overfitting (과적합 대책)

Training loss fell to 0.8 while validation stayed at 1.4, so mosaic in the first 85 % of the epochs and flips. The gap closed to 0.2.

## Question 5. Hyper-parameters and why (하이퍼파라미터와 그 이유)

Batch 8 because 16 did not fit into memory; 12 epochs, since validation AP did not rise after the tenth; image size 128 to keep small faces
above 8 pixels.

## Results (결과)

AP 0.44 [0.40, 0.48], AP50 0.74 on the 80 test images, by COCO's rules with coursekit. Weakest: mask_weared_incorrect, AP 0.12 with 9 boxes.
AP50 was lost mostly to missed small faces, 0.11.

![Precision over recall for each class](pr.png)

## Limits (한계)

Nine badly worn masks say little about that class: one box more or less moves its AP by 0.1. All faces are drawn from the front; nobody
took a picture at night.
"""

OTHER_WORDS = """# Final report

## What came out

We measured with pycocotools on 72 held-out images of blood cells, never looked at before: AP 0.601 and AP50 0.884.

## Pictures we used

BCCD, downloaded from its repository under the MIT licence: 364 images, 4,888 boxes, split 205 / 87 / 72 into train, val and test.

## Knobs

lr 1e-3 and batch 16, chosen on validation among three of each: any larger rate diverged. The confidence we would ship is 0.35, the best F1.

## How it learns

Stochastic gradient descent with Nesterov momentum, and focal loss, since 99 of 100 anchors are background.

## Where we began

RetinaNet with the ResNet-18 backbone of torchvision, frozen: 0.512 AP.

## After that

With three seeds each, unfreezing the backbone gave 0.587 and a pyramid level more 0.601; spreads are below 0.01.

| variant | AP over 3 seeds |
|---|---|
| frozen | 0.512 |
| all layers | 0.587 |
| one level more | 0.601 |

## Keeping it from memorising

Train AP was .91 when validation had .58. Early stopping after 5 epochs without progress, flips and weight decay 1e-4 took the former
to .72.

## What we would not promise

Platelets under 20 pixels: AR 0.2. Another microscope has other colours, and this one never saw them.
"""

KOREAN = """# 프로젝트 보고서: 교통 표지판 분류

## 결과
검증이 아닌 테스트 이미지 1,200장에서 정확도 0.942, macro F1 0.921 (scikit-learn).
혼동 행렬을 보면 속도 30과 50을 서로 헷갈린 경우가 가장 많아 31번이다.

## 데이터 카드
GTSRB에서 다운로드한 사진 8,000장, 12개 클래스. 라이선스는 CC0. 표지판 단위로 훈련 80 %, 검증 10 %, 테스트 10 %로 나누었다.

## 최적화 기법과 손실 함수
AdamW를 학습률 0.001로 사용했다. 손실은 교차 엔트로피이며, 클래스가 불균형하기 때문에 가중치를 주었다.

## 첫 번째 신경망
합성곱 층 세 개의 작은 신경망으로 검증 정확도 0.861을 얻었다. 다수 클래스만 답하면 0.12이다.

## 다음에 시도한 신경망
| 모델 | 정확도 (시드 3개 평균) |
|---|---|
| 작은 CNN | 0.861 ± 0.006 |
| ResNet-18 | 0.938 ± 0.004 |

## 과적합 대책
훈련 정확도는 0.999인데 검증은 0.90이었다. 회전 증강과 드롭아웃 0.3을 넣자 검증이 0.938로 올랐다.

## 하이퍼파라미터
배치 64, 에폭 20. 20 에폭 이후에는 검증 손실이 줄지 않았기 때문이다.

## 한계
야간 사진은 40장뿐이라 밤에 얼마나 잘 되는지는 말할 수 없다. 다른 나라 표지판은 보지 못했다.
"""


HELMETS = """# Finding helmets on building sites

We took 1,204 photos with a phone on two sites (own pictures, licence CC BY 4.0). 900 photos train, 150 validate,
154 test; photos of one day stay together.

## 1. Optimizer and loss function
SGD (momentum 0.9) + the YOLO head's own losses (BCE for class, CIoU and DFL for the box).
Adam overshot: with lr 0.01 the loss went to NaN in epoch 2.

## 2. First model
Faster R-CNN from torchvision, untouched. mAP@50 = 0.61 on val.

## 3. What we tried after
| model | mAP@50 (mean of seeds 0, 1, 2) |
|:--|--:|
| Faster R-CNN | 0.61 |
| YOLO s | 0.72 |
| YOLO s + mosaic | 0.78 |

Mosaic gave +0.06, three times the spread.

## 4. Overfitting
After epoch 30 val loss rose from 1.9 to 2.3 while train loss kept falling, so we stopped there, and added mosaic + HSV jitter.

## 5. Hyperparameters
- lr 0.01: 0.1 diverged, 0.001 was not done after 50 epochs
- batch 16: the most that fits 8 GB
- imgsz 640, because helmets at 320 are 6 pixels

## Results
torchmetrics, 154 test photos: mAP@50 76.1 %, mAP@[.5:.95] 44.9 %. No helmet: 31 of 52 found.

## Limitations
At dusk and in rain we have 12 photos. White caps are taken for helmets.
"""

MASKS_IN_KOREAN = """# 마스크 착용 검출 프로젝트

## 1. 데이터
얼굴 마스크 데이터셋(Kaggle, CC0) 이미지 853장, 상자 4,072개. 클래스는 3개이고 훈련 683 / 검증 85 / 테스트 85로 나눔.
라벨 12개는 이미지 밖으로 나가서 잘라냄.

## 2. Optimizer와 loss를 고른 이유
AdamW(lr=0.002)를 썼다. SGD보다 에폭이 절반이면 되기 때문이다. 손실은 BCE + CIoU.

## 3. 처음 사용한 모델
격자 검출기(합성곱 5층). AP50 0.31.

## 4. 그 다음 모델들
| 모델 | AP50 (시드 3개) |
|---|---|
| YOLO n | 0.712 ± 0.011 |
| 모자이크 없음 | 0.664 ± 0.014 |
모자이크를 빼면 0.048 떨어졌다.

## 5. 과적합을 막기 위해
훈련 손실 0.8, 검증 손실 1.4였다. 좌우 뒤집기와 모자이크를 넣어 1.0이 되었다.

## 6. 하이퍼파라미터
배치 8 (메모리 때문에), 에폭 12, 이미지 크기 128. 검증 AP가 10 에폭 뒤로 오르지 않아서 12에서 멈췄다.

## 7. 결과
테스트 85장, COCO 방식(coursekit): AP 0.44, AP50 0.74.

## 8. 한계와 개선점
잘못 쓴 마스크는 9개뿐이라 믿을 수 없다. 야간 사진이 없다.
"""

RUN_IN = """## Project

**Optimizer & loss.** Adam, lr 3e-4, cross entropy since it is a 10-class problem.

**First network.** LeNet-5: 71.2 % accuracy on validation.

**Next.** See the table (3 seeds each).

| network | accuracy |
|---|---|
| LeNet | 71.2 ± 0.4 % |
| ResNet-18 | 84.0 ± 0.3 % |

**Overfitting.** Train 99 %, val 80 % at first. Random crops + dropout 0.2: train 92 %, val 84 %.

**Hyper-parameters.** lr from {1e-2, 1e-3, 3e-4}: the largest diverged, 3e-4 was best on validation by 1.1 %. Batch 128, 40 epochs.

**Data.** CIFAR-10 from torchvision, MIT-style licence, 45,000 train / 5,000 val / 10,000 test pictures.

**Results.** Test accuracy 83.7 % on 10,000 pictures. Confusion matrix: cat and dog, 118 of 1,000.

**Limits.** 32 x 32 pixels only; frogs on grass are easy, so background may be what is learnt.
"""


@pytest.mark.parametrize(
    "text",
    [GOOD, OTHER_WORDS, KOREAN, HELMETS, MASKS_IN_KOREAN, RUN_IN],
    ids=["good", "other words", "Korean", "short and numbered", "Korean detection", "bold words for headings"],
)
def test_a_good_report_lacks_nothing(text):
    assert report_gaps(text) == []


def test_a_good_report_may_have_its_sections_in_any_order():
    head, *parts = re.split(r"(?m)^(?=## )", GOOD)
    for order in (parts[::-1], parts[3:] + parts[:3]):
        assert report_gaps(head + "\n".join(order)) == []


@pytest.mark.parametrize(
    "change", [lambda t: t.replace("\n", "\r\n"), lambda t: re.sub(r"(?m)^## (.*)$", r"**\1**", t), lambda t: t.replace("## ", "#### ")]
)
def test_a_good_report_may_be_typed_otherwise(change):
    assert report_gaps(change(GOOD)) == []


def section(title, text):
    """The good report with other words under one heading."""
    return re.sub(rf"(?ms)^## {title}.*?\n\n.*?(?=^## |\Z)", lambda match: match[0].split("\n")[0] + f"\n\n{text}\n\n", GOOD)


TABLE = GOOD[GOOD.index("| |") : GOOD.index("Starting from")]
BAD = {
    "no optimiser": (
        section("Question 1", "We used a good optimiser and a suitable loss because they work well on such data."),
        "no optimiser is named",
    ),
    "no loss": (section("Question 1", "We used Adam with a small learning rate because it converges quickly here."), "no loss is named"),
    "no reason and no number": (
        section("Question 1", "The optimiser is SGD, the loss is the usual cross-entropy of all."),
        "why these? A reason or a number",
    ),
    "no first score": (section("Question 2", "Our first network was LeNet, which we trained on all of the pictures."), "what did it reach"),
    "no first network": (
        section("Question 2", "The first thing that we trained reached 0.31 on the pictures for validation."),
        "which network was it",
    ),
    "no comparison": (
        section("Question 3", "We tried a ResNet and a YOLO, and both of them worked.\n\n" + TABLE.replace("0.", "x")),
        "Two scores at least",
    ),
    "no table": (
        section("Question 3", "With three seeds, no mosaic had 0.664 and all of it 0.712 on validation."),
        "There is no table that compares",
    ),
    "no seeds": (
        section("Question 3", "| | AP50 |\n|---|---|\n| YOLO n | 0.712 |\n| no mosaic | 0.664 |\n\nWithout the mosaic it loses."),
        "The table under 'Question 3. Networks tried next (다음에 시도한 신경망)' does not say over which seeds",
    ),
    "no measure": (
        section("Question 4", "Overfitting is when a network learns by heart, and one must be careful with it."),
        "what was done? Nothing is named",
    ),
    "no proof": (
        section("Question 4", "We used dropout and augmentation, because they are known to prevent overfitting."),
        "how is it known that it helped",
    ),
    "no values": (
        section("Question 5", "We chose the learning rate and the batch size carefully, because they matter."),
        "no hyper-parameter stands there with its value",
    ),
    "no reasons": (
        section("Question 5", "Learning rate 0.001, batch 16, 30 epochs, image size 128, confidence 0.25."),
        "why these values? No reason",
    ),
    "no licence": (GOOD.replace("Licence: MIT.", ""), "under which licence"),
    "no number of pictures": (
        section("Data card", "Scenes of faces. Source: drawn by us. Licence: MIT. Split into train and test."),
        "how many pictures are there",
    ),
    "no split": (
        section("Data card", "480 scenes of faces, 1,930 boxes. Source: drawn by us. Licence: MIT, so take them."),
        "how were they split",
    ),
    "no tool": (section("Results", "On 80 test images we got AP 0.44 and AP50 0.74, an interval of 0.40 to 0.48."), "AP by whose rules"),
    "no pictures": (
        section("Results", "AP 0.44 and AP50 0.74, by COCO's rules, measured with coursekit's own evaluator."),
        "on which pictures, and how many",
    ),
    "AP of 87": (
        section("Results", "AP50 is 87 on the 80 test images, with pycocotools, and AP 0.44."),
        "AP50 87 lies neither in 0..1 nor has it a per cent sign",
    ),
    "no score": (section("Results", "The results on the 80 test images were measured with coursekit and look fine."), "no score"),
    "empty limits": (
        section("Limits", "Our model has some limits. More data and more time would surely help it in the future."),
        "when will it fail",
    ),
    "a bare claim": (
        GOOD.replace("## Results (결과)\n", "## Results (결과)\n\nOur model is the best and its boxes are excellent.\n\n"),
        "'best' under 'Results (결과)' is a claim without",
    ),
    "a bare claim in Korean": (
        KOREAN.replace("## 한계\n", "## 한계\n우리 모델은 성능이 가장 우수하다.\n\n"),
        "'가장 우수하다.' under '한계' is a claim without",
    ),
    "TODO": (GOOD.replace("flips.", "flips. TODO: measure it"), "Words of the template are left under 'Question 4"),
    "template words": (
        GOOD.replace("## Limits (한계)", "## Limits (한계)\n\n[write: when it will fail]"),
        "left under 'Limits (한계)': [write: when it will fail]",
    ),
    "no alternative": (GOOD.replace("![Precision over recall for each class]", "![]"), "A picture has no text alternative"),
    "only headings": (re.sub(r"(?ms)(^## .*?\n).*?(?=^## |\Z)", r"\1", GOOD), "Question 1. Optimiser and loss: has no answer"),
    "not stated": (GOOD.replace("Licence: MIT.", "Licence: **not stated**"), "what the card calls not stated is still open"),
    "no confusion": (KOREAN.replace("혼동 행렬을 보면", "자세히 보면"), "A confusion matrix, or the score of each class, is missing"),
    "answers in a comment": (
        section("Question 5", "<!-- Batch 8 because 16 did not fit; 12 epochs, image size 128. -->"),
        "Hyper-parameters and why: has no answer",
    ),
}


@pytest.mark.parametrize(("text", "gap"), BAD.values(), ids=BAD)
def test_what_is_missing_is_named(text, gap):
    found = report_gaps(text)
    assert [said for said in found if gap in said], found
    assert len(found) <= 2 or text == BAD["only headings"][0], found  # and nothing else is made up


def test_an_empty_report_lacks_everything():
    for text in ("", "\n\n", "# Report", "<!-- nothing -->"):
        found = report_gaps(text)
        assert len([said for said in found if said.endswith(("has no answer.", "is missing."))]) == len(TOPICS)


def test_bold_words_within_a_section_take_nothing_from_it():
    text = GOOD.replace("Starting from the signs'", "**Result.** Starting from the signs'")
    assert text != GOOD
    assert report_gaps(text) == []
    assert "**Result.** Starting" in sections_about(text)["next"]


def test_a_claim_with_its_numbers_is_none():
    for text in (
        "Mosaic is better: 0.71 against 0.66.",
        "As the table shows, mosaic is better.",
        "We ship best.pt of the best epoch.",
        "The unbeatable contest bestows nothing.",
    ):
        assert report_gaps(GOOD.replace("## Results (결과)\n", f"## Results (결과)\n\n{text}\n\n")) == []


@pytest.mark.parametrize(
    "answer",
    [
        "Learning rate 0.002, batch 8 and 320 pixels are the course's defaults and were not searched.",
        "Confidence 0.52 has the best F1 on the validation pictures; batch 8.",
        "학습률 0.002와 배치 8은 기본값이다.",
    ],
)
def test_who_did_not_search_may_say_so(answer):
    assert report_gaps(section("Question 5", answer)) == []


def test_a_machine_that_counts_words_is_not_enough():
    """Every keyword and no statement: the questions that want numbers and reasons still notice."""
    text = "\n".join(
        f"## {title}\n\noptimiser loss network seeds table overfitting hyper-parameters best results limits\n" for title in TOPICS
    )
    assert len(report_gaps(text)) >= 8


# --- the template


@pytest.mark.parametrize("kind", ["detection", "classification"])
def test_the_template_asks_everything_and_is_no_report(kind):
    text = report_template(kind)
    assert set(sections_about(text)) == set(TOPICS)
    for korean in ("데이터 카드", "최적화", "첫 번째 신경망", "다음에 시도한", "과적합", "하이퍼파라미터", "결과", "한계"):
        assert korean in text
    found = gaps(text)
    assert {gap.topic for gap in found} >= set(TOPICS)
    assert any("what your project is called" in gap.text for gap in found)


def steps():
    rows = [("all of it", [0.5, 0.52], {"mosaic": True}), ("no mosaic", [0.4, 0.42], {"mosaic": False})]
    runs = [{"name": n, "seed": s, "score": v, "settings": m} for n, values, m in rows for s, v in enumerate(values)]
    card = DataCard(
        "faces | masks", "detection", ("with",), {"train": 30}, {"train": {"with": 40}}, source="drawn", licence="MIT", split_by="picture"
    )
    told = {
        "data_card": card.to_dict(),
        "baseline": {"metric": "AP50", "models": {"mean box": [0.04], "grid": [0.3, 0.32]}, "on": "validation, 80 images", "seeds": [0, 1]},
        "ablation": ablation_table(runs, "all of it", "AP50").to_dict(),
        "ap_report": {
            "evaluator": "coursekit",
            "images": 80,
            "AP": ".441 [.400, .480]",
            "by size": {"APs": 0.2},
            "weakest classes": ["with 0.1"],
        },
    }
    return json.loads(json.dumps(told))


def test_the_steps_are_filled_in():
    text = report_template("detection", steps())
    for line in (
        "### Data card: faces \\| masks",
        "| with | 40 |",
        "| grid | 2 | 0.310 ± 0.014 |",
        "| no mosaic | 2 | 0.410 ± 0.014 | -0.100 | mosaic |",
        "| AP | .441 [.400, .480] |",
        "| by size | APs 0.2 |",
    ):
        assert line in text
    assert report_gaps(text) != []  # tables are no answers


def test_a_confusion_matrix_is_filled_in():
    step = {"accuracy": 0.9, "classes": ["a", "b"], "confusion": [[9, 1], [1, 9]]}
    text = report_template("classification", {"ap_report": step})
    assert "| confusion matrix: truth ↓, said → | a | b |\n|---|---:|---:|\n| a | 9 | 1 |" in text
    assert "| accuracy | 0.9 |" in text


@pytest.mark.parametrize(
    "odd",
    [{"a": 1}, {"models": {"x": ["y"]}}, {"rows": 3}, {"classes": 3, "confusion": [[1]]}, {"models": {"x": []}}, {"a|b": "c\nd"}],
    ids=str,
)
def test_steps_of_another_shape_become_plain_tables(odd):
    for name in ("data_card", "baseline", "ablation", "ap_report"):
        text = report_template("detection", {name: odd})
        assert "| | |\n|---|---|\n" in text
        assert "c\nd" not in text


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="kind must be one of detection, classification, got 'boxes'"):
        report_template("boxes")
    with pytest.raises(ValueError, match='kind must be "detection" or "classification"'):
        report_gaps(GOOD, "boxes")
    with pytest.raises(ValueError, match="text must be the report as text, got bytes"):
        report_gaps(b"")


@pytest.mark.parametrize(
    "text",
    [
        "<!--" * 100_000,
        "#" * 400_000,
        "|" * 400_000,
        "ap 1" * 100_000,
        "more " * 80_000,
        "[write:" * 60_000,
        "1," * 200_000,
        "![" * 200_000,
        "best " * 80_000,
    ],
)
def test_no_text_takes_long(text):
    began = time.process_time()
    assert report_gaps(text)
    assert time.process_time() - began < 20  # a pattern that tries everything would take hours


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("#|-*`>[]()!<a1.% \n가세"), max_size=200))
def test_any_text_gets_sentences(text):
    for gap in report_gaps(text):
        assert gap.strip() == gap
        assert "\n" not in gap


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_words_taken_out_never_make_a_report_complete(data):
    """A good report with a section emptied lacks just what that section answered."""
    parts = re.split(r"(?m)^(?=## )", GOOD)
    place = data.draw(st.integers(1, len(parts) - 1))
    kept = parts[place].split("\n")[0] + "\n\n"
    found = report_gaps("".join([*parts[:place], kept, *parts[place + 1 :]]))
    assert [gap for gap in found if gap.endswith(("has no answer.", "is missing."))]
