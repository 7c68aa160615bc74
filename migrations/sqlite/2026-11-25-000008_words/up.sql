-- The words of each resource, for `_text` and `_content`: those of its narrative, and all others.

-- The words are taken out of a resource when its index rows are made. Where those of older resources are still to be made,
-- `reindex` gives them their words, too; rows that were made without words are of no release.
CREATE TABLE words_of_older_resources (
    resources BIGINT NOT NULL,
    CONSTRAINT load_the_resources_into_a_new_database CHECK (resources = 0)
);
INSERT INTO words_of_older_resources SELECT COUNT(*) FROM resource WHERE LENGTH(index_rows) > 0;
DROP TABLE words_of_older_resources;

-- The words come folded, with one space between two, which is all that the tokenizer has to see: it takes whatever is not
-- ASCII for a letter. The number of a row is that of the resource; only the index is kept, not the text.
CREATE VIRTUAL TABLE index_words USING fts5(
    narrative, rest, content = '', contentless_delete = 1, tokenize = 'ascii'
);

-- The index read backwards, one row for each word of each resource: for `verify`.
CREATE VIRTUAL TABLE index_words_read USING fts5vocab(index_words, instance);
