import { refuse } from './refuse.ts';

/** One line of comma separated values; a field in double quotes may hold commas, and "" for a quote: RFC 4180. */
export function parseCsv(text: string): readonly string[] {
  const fields: string[] = [];
  let rest = text;
  while (true) {
    const [whole, quoted, plain = ''] = /^(?:"((?:[^"]|"")*)"(?=,|$)|([^",]*))/.exec(rest) ?? [''];
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    rest = rest.slice(whole.length);
    if (rest === '') return fields;
    if (!rest.startsWith(',')) throw refuse(text, 'has a stray quote', 'put the whole field in quotes: "a,b=c"');
    rest = rest.slice(1);
  }
}
