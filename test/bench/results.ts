// What a benchmark writes into bench/RESULTS.md, as tests read it.
export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly string[][];
}

export const tablesOf = (text: string): Table[] =>
  [...text.matchAll(/^(\|.*\|)\n\|[ :|-]+\|\n((?:\|.*\|\n)+)/gm)].map(([, header = '', rows = '']) => ({
    header: cellsOf(header),
    rows: rows.trimEnd().split('\n').map(cellsOf),
  }));

const cellsOf = (line: string): string[] =>
  line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim());

/** What stands between the marks of `name`. */
export const sectionOf = (text: string, name: string): string =>
  new RegExp(`<!-- ${name} -->\n([^]*?)<!-- /${name} -->`).exec(text)?.[1] ?? '';

/** Header and first column of each table: which rows there are, whatever their figures. */
export const namesIn = (tables: readonly Table[]) =>
  tables.map(({ header, rows }) => [header, rows.map(([name]) => name)]);
