/** One session in the drawing: `prefix` is what stands before it, `├─ ` and the like. */
export type Branch<T> = {session: T; prefix: string};

/**
 * Sessions under those that they go on from, in the order given. A session whose parent is not among them stands alone; of
 * sessions that name one another as parents, which only a hostile store has, each still comes once.
 */
export function asTree<T extends {session: string; lineage?: {parent: string}}>(sessions: Array<T>): Array<Branch<T>> {
  const known = new Set(sessions.map(({session}) => session));
  const children = new Map<string, Array<T>>();
  const roots: Array<T> = [];
  for (const session of sessions) {
    const parent = session.lineage?.parent;
    if (parent === undefined || !known.has(parent) || parent === session.session)
      roots.push(session);
    else
      children.set(parent, [...children.get(parent) ?? [], session]);
  }

  const drawn = new Set<string>();
  const lines: Array<Branch<T>> = [];
  const draw = (session: T, first: string, rest: string) => {
    if (drawn.has(session.session))
      return;
    drawn.add(session.session);
    lines.push({session, prefix: first});
    const below = children.get(session.session) ?? [];
    for (const [index, child] of below.entries()) {
      const last = index === below.length - 1;
      draw(child, `${rest}${last ? `└─ ` : `├─ `}`, `${rest}${last ? `   ` : `│  `}`);
    }
  };
  // Those in a circle have no root: they come after the others.
  for (const session of [...roots, ...sessions])
    draw(session, ``, ``);
  return lines;
}
