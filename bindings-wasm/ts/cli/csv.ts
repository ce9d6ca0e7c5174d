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
  const bytes = Buffer.from(text);
  // A quote inside of a cell is a letter; behind one that ends a cell nothing may follow, which the library would take as it is.
  const cell = `(?:"[^"]*(?:""[^"]*)*"|[^"${delimiter}\\r\\n][^${delimiter}\\r\\n]*|)`;
  const whole = new RegExp(`^(?:${cell}${delimiter})*${cell}[\\r\\n]*$`);
  const rows: Row[] = [];
  let [number, at] = [1, 0];
  try {
    parse(bytes, {
      delimiter, relax_column_count: true, relax_quotes: true,
      on_record(cells: string[], { bytes: end }) {
        const raw = bytes.toString("utf8", at, end);
        if (!whole.test(raw)) throw new CsvMistake(number, `'${delimiter}' is expected behind the closing quote of a cell`);
        rows.push({ number, cells });
        // The library counts a line that ends with two letters inside of a cell twice.
        number += raw.match(/\r\n|\n|\r/g)?.length ?? 0;
        at = end;
        return null;
      },
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new CsvMistake(number, error.message);
  }
  return rows;
}
