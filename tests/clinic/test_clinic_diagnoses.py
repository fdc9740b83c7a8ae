import pytest

from coursekit.clinic.diagnoses import DIAGNOSES, UNDECIDED, names_the_fault, treatment


def test_a_treatment_is_the_repair_itself_with_its_diagnosis():
    def fix(x):
        return x + 1

    answer = treatment(fix, "stride")
    assert answer is fix
    assert answer(1) == 2
    assert names_the_fault(answer, "stride")
    assert not names_the_fault(answer, "half-cell")


def test_a_repair_without_diagnosis_names_nothing():
    assert not names_the_fault(lambda: 0, "stride")


def test_a_function_written_in_c_can_be_a_treatment_too():
    answer = treatment(len, "stride")
    assert answer([1, 2]) == 2
    assert names_the_fault(answer, "stride")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (UNDECIDED, ""),
        ("stride", ""),
        ("strides", "There is no diagnosis 'strides'. Did you mean 'stride'?\n"),
        ("xyz", "There is no diagnosis 'xyz'. The list of diagnoses has all of them.\n"),
    ],
)
def test_a_word_that_is_no_diagnosis_is_said_aloud(word, said, capsys):
    treatment(lambda: 0, word)
    assert capsys.readouterr().out == said


def test_the_list_has_about_twenty():
    assert 18 <= len(DIAGNOSES) <= 24
