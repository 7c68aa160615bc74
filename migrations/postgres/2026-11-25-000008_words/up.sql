-- The words of each resource, for `_text` and `_content`: those of its narrative, and all others.

-- The words are taken out of a resource when its index rows are made. Where those of older resources are still to be made,
-- `reindex` gives them their words, too; rows that were made without words are of no release.
CREATE TABLE words_of_older_resources (
    resources BIGINT NOT NULL,
    CONSTRAINT load_the_resources_into_a_new_database CHECK (resources = 0)
);
INSERT INTO words_of_older_resources SELECT COUNT(*) FROM resource WHERE LENGTH(index_rows) > 0;
DROP TABLE words_of_older_resources;

-- The words come folded, with one space between two. The indexes say which words there are; phrases are looked up in the
-- text of what they leave, because the positions of a tsvector end at 16383, and with the 256th of one word.
CREATE TABLE index_words (
    rid BIGINT PRIMARY KEY,
    narrative TEXT COLLATE "C" NOT NULL,
    rest TEXT COLLATE "C" NOT NULL
);

-- These are the very expressions that searches use.
CREATE INDEX index_words_of_narrative ON index_words
    USING gin (array_to_tsvector(string_to_array(narrative, ' ')));
CREATE INDEX index_words_of_all ON index_words
    USING gin (array_to_tsvector(string_to_array(btrim(narrative || ' ' || rest), ' ')));
