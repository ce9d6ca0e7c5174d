// A journal in PostgreSQL, by way of npm's `pg`: any number of machines share it.
//
//     import pg from "pg";
//     const journal = postgresStore(new pg.Pool({ connectionString: process.env.DATABASE_URL }));
//     const { videos } = new Client({ journal });
//
// Run SCHEMA once. Its names may be your own. Leave `synchronous_commit` on: a create request is sent only after its row is durable.

export const SCHEMA = `
CREATE TABLE junfeiai_rows (name text COLLATE "C" PRIMARY KEY, value text NOT NULL, version bigint NOT NULL);
CREATE SEQUENCE junfeiai_version;`;

/**
 * @param {import("pg").Pool} pool
 * @returns {import("junfeiai").JournalStore}
 */
export function postgresStore(pool) {
  /** @param {string} text @param {unknown[]} values */
  const rows = async (text, values) => (await pool.query(text, values)).rows.map(({ name, value, version }) => (
    { name, value, version: Number(version) })); // pg gives a bigint as text
  // From one sequence for all rows: a version never comes back, not even after a row was removed.
  const next = "nextval('junfeiai_version')";
  return {
    load: async (name) => (await rows("SELECT name, value, version FROM junfeiai_rows WHERE name = $1", [name]))[0],
    // Each is one statement: PostgreSQL compares and writes in one step.
    async swap(name, expected, value) {
      const [written] = expected === null
        ? await rows(`INSERT INTO junfeiai_rows (name, value, version) VALUES ($1, $2, ${next}) ON CONFLICT DO NOTHING RETURNING version`, [name, value])
        : value === null
          ? await rows(`DELETE FROM junfeiai_rows WHERE name = $1 AND version = $2 RETURNING ${next} AS version`, [name, expected])
          : await rows(`UPDATE junfeiai_rows SET value = $3, version = ${next} WHERE name = $1 AND version = $2 RETURNING version`, [name, expected, value]);
      return written?.version;
    },
    scan: (prefix) => rows("SELECT name, value, version FROM junfeiai_rows WHERE starts_with(name, $1)", [prefix]),
  };
}
