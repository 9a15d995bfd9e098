import type {CallRecord, Json} from '../../interchange/index.ts';
import {apiName}               from '../families/names.ts';

import {isObject}              from './content.ts';

type Arguments = {[key: string]: Json};

/** A call as Pi's model made it. `reduced`: why it is not wholly what it was. */
export type Shaped = {name: string; arguments: Arguments; reduced?: string};

/**
 * The call in the shape of Pi's own tools where there is one, else under its native name with its native arguments, which
 * Pi sends as they are. `workdir`: folder that the source agent was in, where that is another one.
 */
export function shapeCall(record: CallRecord, workdir?: string): Shaped {
  switch (record.tool) {
    case `shell`: {
      const {command, timeoutMs, workdir: own} = record.args;
      const folder = own ?? workdir;
      return {name: `bash`, arguments: {
        command,
        ...timeoutMs === undefined ? {} : {timeout: timeoutMs / 1000},
        ...folder === undefined ? {} : {workdir: folder},
        ...othersIn(record.input, [`command`, `cmd`, `timeout`, `workdir`, `cwd`, `directory`, `description`]),
      }};
    }

    case `read`: {
      const {path, offset, limit} = record.args;
      return {name: `read`, arguments: {path, ...offset === undefined ? {} : {offset}, ...limit === undefined ? {} : {limit}}};
    }

    case `edit`: {
      const {path, edits} = record.args;
      const [only] = edits;
      if (only === undefined)
        return native(record);
      if (edits.length === 1 && only.old === ``)
        return {name: `write`, arguments: {path, content: only.new}};
      return {
        name: `edit`,
        arguments: {path, edits: edits.map(edit => ({oldText: edit.old, newText: edit.new}))},
        ...edits.some(edit => edit.all === true) ? {reduced: `an edit of every occurrence stands as an edit of one`} : {},
      };
    }

    case `write`: {
      const {path, content} = record.args;
      return {name: `write`, arguments: {path, content}};
    }

    case `search`: {
      const {pattern, path, glob, mode} = record.args;
      const where: Arguments = path === undefined ? {} : {path};
      if (mode === `files` && glob === pattern)
        return {name: `find`, arguments: {pattern, ...where}};
      return {name: `grep`, arguments: {pattern, ...where, ...glob === undefined ? {} : {glob}}};
    }

    default:
      return native(record);
  }
}

function native({name, input}: CallRecord): Shaped {
  return {name: apiName(name), arguments: isObject(input) ? input : {input}};
}

/** What the source's tool was told beyond what Pi's own knows stays beside it. */
function othersIn(input: Json, known: Array<string>): Arguments {
  return isObject(input) ? Object.fromEntries(Object.entries(input).filter(([key]) => !known.includes(key))) : {};
}
