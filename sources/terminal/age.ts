const STEPS: Array<[seconds: number, unit: string]> = [[365 * 86_400, `y`], [30 * 86_400, `mo`], [7 * 86_400, `w`], [86_400, `d`], [3_600, `h`], [60, `min`]];

/** How long ago a time was, as people say it: `2h ago`. A time to come (another machine's clock) is `just now`. */
export function age(iso: string, nowMs: number): string {
  const seconds = (nowMs - Date.parse(iso)) / 1000;
  if (Number.isNaN(seconds))
    return ``;
  const step = STEPS.find(([length]) => seconds >= length);
  return step === undefined ? `just now` : `${Math.floor(seconds / step[0])}${step[1]} ago`;
}
