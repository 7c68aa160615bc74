DROP INDEX index_date_aside;
