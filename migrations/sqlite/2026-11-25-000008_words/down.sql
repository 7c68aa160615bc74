DROP TABLE index_words_read;
DROP TABLE index_words;
