/** As many characters as are shown of an id where they suffice. */
const SHORTEST = 8;

/**
 * The beginning of each id that none of the others has, eight characters or more: what a person can type for it. Ids that
 * begin with the time are alike for longer.
 */
export function shortIds(ids: Iterable<string>): Map<string, string> {
  const sorted = [...new Set(ids)].sort();
  const short  = new Map<string, string>();
  for (const [index, id] of sorted.entries()) {
    let length = 1 + Math.max(shared(id, sorted[index - 1]), shared(id, sorted[index + 1]), SHORTEST - 1);
    // A hyphen at the end says nothing.
    if (id[length - 1] === `-`)
      length += 1;
    short.set(id, id.slice(0, length));
  }

  return short;
}

/** Characters in which two ids are alike before they differ. */
function shared(a: string, b = ``) {
  let at = 0;
  while (at < a.length && a[at] === b[at])
    at++;
  return at;
}
