"""What several rooms do to words, each once: words, sentences, languages, money, yes and no, columns, sets that are alike."""
