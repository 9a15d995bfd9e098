import type {Writable} from 'node:stream';

export type Progress = {update(message: string): void; clear(): void};

/** Work shorter than this shows nothing. */
const PATIENCE_MS = 400;

/** A spinner with the newest message, on standard error, where that is a terminal and the work takes its time. */
export async function progress({stderr}: {stderr: Writable}): Promise<Progress> {
  if ((stderr as Writable & {isTTY?: boolean}).isTTY !== true)
    return {update() {}, clear() {}};

  const {spinner} = await import(`@clack/prompts`);
  const begun = Date.now();
  let shown: ReturnType<typeof spinner> | null = null;
  return {
    update(message) {
      if (shown !== null)
        shown.message(message);
      else if (Date.now() - begun > PATIENCE_MS)
        (shown = spinner({output: stderr})).start(message);
    },
    clear() {
      shown?.clear();
      shown = null;
    },
  };
}
