import type {JsonObject}    from '../../interchange/index.ts';

import type {Calls}         from './calls.ts';
import type {Node, Tree}    from './tree.ts';
import {objectAt, stringAt} from '../values.ts';

/**
 * The records that a compaction keeps word for word, in order. Claude Code names the lines; some of them (hook records,
 * seen with 2.1.330) are in no file, so only the first has to be known.
 */
export function keptRecords(metadata: JsonObject | undefined, tree: Tree, calls: Calls): Array<number> {
  const messages = objectAt(metadata, `preservedMessages`);
  const segment = objectAt(metadata, `preservedSegment`);
  const names = new Set<string>();
  for (const list of [messages?.uuids, messages?.allUuids])
    if (Array.isArray(list))
      for (const name of list)
        if (typeof name === `string`)
          names.add(name);

  const first = stringAt(segment, `headUuid`) ?? names.values().next().value;
  const head = first === undefined ? undefined : tree.get(first);
  const keep = new Set<number>();

  if (names.size > 0) {
    for (const name of names) {
      const node = name === first ? head : tree.recent(name);
      if (node !== undefined)
        addRecords(keep, node);
    }
  } else {
    const last = stringAt(segment, `tailUuid`);
    const tail = last === undefined ? undefined : tree.get(last);
    if (head !== undefined && tail !== undefined) {
      const end = Math.max(tail.at, tail.batch.core);
      for (const node of tree.between(head.from === -1 ? head.at + 1 : head.from, end))
        if (tree.descends(end, node.at))
          addRecords(keep, node);
    }
  }

  calls.completePairs(keep);
  return [...keep].sort((a, b) => a - b);
}

function addRecords(keep: Set<number>, node: Node) {
  if (node.from !== -1)
    for (let seq = node.from; seq <= node.at; seq++)
      keep.add(seq);
}
