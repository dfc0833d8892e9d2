"""The built-in word lists: English, and of the person in question, so not of relatives."""

FEMALE, MALE = "female", "male"
CHILD, ADULT, ELDERLY = "child", "adult", "elderly"

SEX_PAIRS: tuple[tuple[str, str], ...] = (  # female, male: each is the other's counterpart, always
    ("she", "he"),
    ("herself", "himself"),
    ("woman", "man"),
    ("women", "men"),
    ("female", "male"),
    ("females", "males"),
    ("girl", "boy"),
    ("girls", "boys"),
    ("lady", "gentleman"),
    ("ladies", "gentlemen"),
    ("ms", "mr"),
)
SEX_WORDS: dict[str, tuple[str, ...]] = {
    FEMALE: (*(female for female, _ in SEX_PAIRS), "her", "hers", "mrs"),
    MALE: (*(male for _, male in SEX_PAIRS), "him", "his"),
}

AGE_WORDS: dict[str, tuple[str, ...]] = {
    CHILD: (
        *("newborn", "newborns", "neonate", "neonates", "infant", "infants", "baby", "babies"),
        *("toddler", "toddlers", "child", "children", "boy", "boys", "girl", "girls"),
        *("adolescent", "adolescents", "teenager", "teenagers"),
    ),
    ADULT: ("adult", "adults", "middle-aged"),
    ELDERLY: (
        *("elderly", "older adult", "older adults", "septuagenarian", "septuagenarians"),
        *("octogenarian", "octogenarians", "nonagenarian", "nonagenarians"),
        *("centenarian", "centenarians"),
    ),
}
ADULT_FROM, ELDERLY_FROM = 18, 65  # years

# A possessive stands before a noun, so before a word, but not before one of these.
_FUNCTION_WORDS = """
a an the this that these those and or but nor so as if than then when while because although
since until who which what where how to of in on at by for from with without into onto upon
about over under after before during through between against is are was were be been being am
has have had do does did can could may might must shall should will would not
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
