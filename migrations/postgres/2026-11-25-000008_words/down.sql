DROP TABLE index_words;
