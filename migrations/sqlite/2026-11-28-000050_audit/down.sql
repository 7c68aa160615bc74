DROP TABLE audit_patient;
DROP TABLE audit_block;
DROP TABLE audit_chain;
