"""The statements of a session store, in diskcache's own table."""

# raw = 1 is a key of plain bytes, mode = 1 a value of plain bytes (diskcache's MODE_RAW), and
# size counts the bytes outside the row. All columns are set, whatever a row had before. A new row has
# the number that it is given, unless that one is taken, or with NULL the next one.
UPSERT = """
    INSERT INTO Cache (rowid, key, raw, store_time, expire_time, access_time, access_count, tag,
                       size, mode, filename, value)
    VALUES (CASE WHEN EXISTS (SELECT 1 FROM Cache WHERE rowid = ?5) THEN NULL ELSE ?5 END,
            ?1, 1, ?2, ?3, ?2, 0, NULL, 0, 1, NULL, ?4)
    ON CONFLICT (key, raw) DO UPDATE SET
        store_time = ?2, expire_time = ?3, access_time = ?2, access_count = 0, tag = NULL,
        size = 0, mode = 1, filename = NULL, value = ?4
"""
SELECT = "SELECT mode, filename, value, store_time, expire_time FROM Cache WHERE key = ? AND raw = 1"
DELETE = "DELETE FROM Cache WHERE key = ? AND raw = 1"
DELETE_EXPIRED = """
    DELETE FROM Cache WHERE rowid IN (
        SELECT rowid FROM Cache INDEXED BY Cache_expire_time
        WHERE expire_time <= ? ORDER BY expire_time LIMIT ?)
    RETURNING key
"""
PAGE = """
    SELECT rowid, key, substr(value, 1, ?3) FROM Cache
    WHERE rowid > ?1 AND raw = 1 AND typeof(key) = 'blob' AND typeof(value) = 'blob'
    ORDER BY rowid LIMIT ?2
"""
COUNT_EXPIRED = "SELECT count(*) FROM Cache INDEXED BY Cache_expire_time WHERE expire_time <= ?"
COUNT = "SELECT value FROM Settings WHERE key = 'count'"  # kept by diskcache's triggers
OLDEST = """
    SELECT coalesce((SELECT CAST(store_time AS INTEGER) FROM Cache INDEXED BY Cache_expire_time
                     ORDER BY expire_time LIMIT 1), 0)
"""
SIZE = """
    SELECT (page_count - freelist_count) * page_size
    FROM pragma_page_count, pragma_freelist_count, pragma_page_size
"""
