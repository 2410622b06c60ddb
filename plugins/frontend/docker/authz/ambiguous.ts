import { invalidArgument } from '@gantry/sdk';

/** Objects whose names are the user's: there "A" and "a" are two. */
const freeNames = new Set(['labels', 'annotations', 'sysctls', 'options', 'driveropts', 'storageopt', 'opts']);

/**
 * Refuses a JSON document that readers understand differently: a name twice in one object, or twice but for its case, which Go's readers
 * (and the engine) take for one field and others for two. What is no JSON is left to whoever parses it.
 */
export function refuseAmbiguous(body: Buffer): void {
  const text = body.toString();
  if (!isJson(text)) return;
  const open: { readonly names: Set<string>; readonly isFree: boolean; last: string }[] = [];
  let token = '';
  for (const [next] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g)) {
    const here = open.at(-1);
    if (next === '{' || next === '[') open.push({ names: new Set(), isFree: freeNames.has(here?.last.toLowerCase() ?? ''), last: '' });
    else if (next === '}' || next === ']') open.pop();
    else if (next === ':' && here !== undefined) addName(here, JSON.parse(token) as string);
    token = next;
  }
}

function addName(here: { readonly names: Set<string>; readonly isFree: boolean; last: string }, name: string): void {
  const key = here.isFree ? name : name.toLowerCase();
  if (here.names.has(key)) throw invalidArgument(`invalid JSON: the name ${JSON.stringify(name.slice(0, 100))} is there twice`);
  here.names.add(key);
  here.last = name;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
