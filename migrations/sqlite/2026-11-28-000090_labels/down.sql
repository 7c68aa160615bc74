DROP INDEX resource_labelled;
ALTER TABLE resource DROP COLUMN labels;
