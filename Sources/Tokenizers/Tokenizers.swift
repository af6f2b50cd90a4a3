/// How an architecture's converter reads the tokenizer.
public enum TokenizerFamily: Sendable { case llama, byteLevelBPE, wordPiece }
