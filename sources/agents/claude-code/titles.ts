import type {JsonObject, TitleRecord} from '../../interchange/index.ts';

import {stringAt}                     from '../values.ts';

const LONGEST = 1000;

export type TitlesState = {custom: string | null; generated: string | null};

/** The session's title: the person's own goes before one that was made up. */
export class Titles {
  private custom: string | null = null;
  private generated: string | null = null;

  get current() {
    return this.custom ?? this.generated;
  }

  /** The new title when this line changes it. `known`: does this uuid stand in the transcript? */
  see(line: JsonObject, known: (uuid: string) => boolean): Pick<TitleRecord, `title` | `origin`> | undefined {
    const before = this.current;
    if (line.type === `custom-title`)
      this.custom = clean(stringAt(line, `customTitle`)) ?? this.custom;
    else if (line.type === `ai-title`)
      this.generated = clean(stringAt(line, `aiTitle`)) ?? this.generated;
    else if (known(stringAt(line, `leafUuid`) ?? ``))
      // Old versions wrote the summaries of other sessions into a new file.
      this.generated = clean(stringAt(line, `summary`)) ?? this.generated;

    if (this.current === null || this.current === before)
      return undefined;
    return {title: this.current, origin: this.custom !== null ? `custom` : `generated`};
  }

  save(): TitlesState {
    return {custom: this.custom, generated: this.generated};
  }

  restore(state: TitlesState) {
    this.custom = state.custom;
    this.generated = state.generated;
  }
}

function clean(title: string | undefined) {
  const text = title?.trim().slice(0, LONGEST);
  return text === undefined || text === `` ? undefined : text;
}
