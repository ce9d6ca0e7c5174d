/** CSV with a line of field names; spreadsheets of some countries separate by semicolons. */
import { CsvError, parse } from "csv-parse/sync";

export interface Row {
  /** The line of the file that it begins in. */
  number: number;
  cells: string[];
}

/** Something that is not CSV, and the line. */
export class CsvMistake extends Error {
  constructor(readonly number: number, message: string) { super(message); }
}

export function csvRows(text: string, delimiter: string): Row[] {
  const rows: Row[] = [];
  let ended = 0;
  try {
    const records = parse(text, { delimiter, info: true, relax_column_count: true, relax_quotes: true }) as unknown as
      { record: string[]; info: { lines: number } }[];
    for (const { record, info } of records) {
      rows.push({ number: ended + 1, cells: record });
      ended = info.lines;
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new CsvMistake(Number((error as { lines?: unknown }).lines ?? ended + 1), error.message);
  }
  return rows;
}
