"""Which language we speak."""

from __future__ import annotations

import pytest

from mailtrust.errors import BadInput
from mailtrust.texts import language


@pytest.mark.parametrize(
    ("lang", "spoken"),
    [
        ("zh_CN.UTF-8", "zh"), ("zh_CN", "zh"), ("zh", "zh"), ("zh-Hans-CN", "zh"), ("ZH_cn@stroke", "zh"),
        ("en_GB.UTF-8", "en"), ("C", "en"), ("C.UTF-8", "en"), ("POSIX", "en"), ("de_DE.UTF-8", "en"),
        ("de", "en"), ("zhuang", "en"), ("", "en"),
    ],
)  # fmt: skip
def test_the_environment_chooses(lang: str, spoken: str) -> None:
    """What we do not speak is answered in English."""
    assert language(None, {"LANG": lang}) == spoken


def test_without_any_environment_it_is_english() -> None:
    assert language(None, {}) == "en"


@pytest.mark.parametrize(
    ("environment", "spoken"),
    [
        ({"LC_ALL": "C", "LC_MESSAGES": "zh_CN", "LANG": "zh_CN"}, "en"),
        ({"LC_MESSAGES": "zh_CN", "LANG": "de_DE"}, "zh"),
        ({"LC_ALL": "", "LC_MESSAGES": "", "LANG": "zh_CN"}, "zh"),
    ],
)
def test_the_first_variable_that_is_set_decides_alone(environment: dict[str, str], spoken: str) -> None:
    """POSIX, Base Definitions 8.2; one that is empty counts as not set."""
    assert language(None, environment) == spoken


@pytest.mark.parametrize("requested", ["zh", "zh_CN", "zh-CN"])
def test_what_was_asked_for_comes_before_the_environment(requested: str) -> None:
    assert language(requested, {"LC_ALL": "en_US.UTF-8"}) == "zh"


@pytest.mark.parametrize("requested", ["de", "", "C"])
def test_a_language_that_we_lack_is_refused_when_asked_for(requested: str) -> None:
    """An environment is a habit, `--lang` is a wish."""
    with pytest.raises(BadInput, match=f"there are no texts in '{requested}'") as refused:
        language(requested, {"LANG": "zh_CN.UTF-8"})
    assert refused.value.hint == "the languages are en and zh"
