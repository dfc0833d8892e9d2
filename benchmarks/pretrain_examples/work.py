"""Names of the prepared data, and the settings that both sides work with."""

TEXTS, SENTENCES = "texts", "sentences"
TRAIN, EVAL = "train", "eval"
PEER_TEXT = "peer.txt"
SIZES = "sizes.json"
SHORT_FRACTION = 0.1
