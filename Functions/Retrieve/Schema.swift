extension Store {
    /// Run at every start, by several workers at once perhaps: one transaction that changes nothing where all is there.
    static let schema = """
        CREATE TABLE IF NOT EXISTS collection (
            id INTEGER PRIMARY KEY,
            tenant TEXT NOT NULL,
            name TEXT NOT NULL,
            dimensions INTEGER NOT NULL,
            UNIQUE (tenant, name)
        );
        CREATE TABLE IF NOT EXISTS document (
            id INTEGER PRIMARY KEY,
            collection INTEGER NOT NULL REFERENCES collection ON DELETE CASCADE,
            name TEXT NOT NULL,
            metadata TEXT NOT NULL,
            UNIQUE (collection, name)
        );
        CREATE TABLE IF NOT EXISTS chunk (
            id INTEGER PRIMARY KEY,
            document INTEGER NOT NULL REFERENCES document ON DELETE CASCADE,
            position INTEGER NOT NULL,
            text TEXT NOT NULL,
            vector BLOB NOT NULL,
            UNIQUE (document, position)
        );
        -- The words of `chunk`, kept by the triggers (https://sqlite.org/fts5.html#external_content_tables).
        CREATE VIRTUAL TABLE IF NOT EXISTS chunk_text USING fts5 (text, content = 'chunk', content_rowid = 'id', tokenize = 'porter unicode61');
        CREATE TRIGGER IF NOT EXISTS chunk_inserted AFTER INSERT ON chunk BEGIN
            INSERT INTO chunk_text (rowid, text) VALUES (new.id, new.text);
        END;
        CREATE TRIGGER IF NOT EXISTS chunk_deleted AFTER DELETE ON chunk BEGIN
            INSERT INTO chunk_text (chunk_text, rowid, text) VALUES ('delete', old.id, old.text);
        END;
        """
}
