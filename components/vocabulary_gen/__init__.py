"""VocabularyGen: learns the vocabulary of the train split, or imports one."""
