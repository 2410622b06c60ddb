const mostLength = 256;
const mostRepeats = 3;

/**
 * Whether a text fits a pattern of a list filter: Docker takes regular expressions there, and finds them anywhere. One that cannot be
 * read, or that could take long (Go's take linear time, these do not), is looked for as it stands.
 */
export function matchesPattern(pattern: string, text: string): boolean {
  if (text === pattern) return true;
  const expression = isHarmless(pattern) ? toExpression(pattern) : undefined;
  return expression === undefined ? text.includes(pattern) : expression.test(text);
}

/** No group is repeated, and few parts are. */
function isHarmless(pattern: string): boolean {
  if (pattern.length > mostLength || !/^[\w./^$|()[\]*+?-]*$/.test(pattern) || /\)[*+?]/.test(pattern)) return false;
  return (pattern.match(/[*+?]/g) ?? []).length <= mostRepeats;
}

function toExpression(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern);
  } catch {
    return undefined;
  }
}
