const UNITS = [`kB`, `MB`, `GB`, `TB`];

/** A number of bytes as people say it: `812 B`, `1.2 MB`. */
export function size(bytes: number): string {
  if (bytes < 1000)
    return `${bytes} B`;
  let [value, unit] = [bytes / 1000, 0];
  while (value >= 999.5 && unit < UNITS.length - 1)
    [value, unit] = [value / 1000, unit + 1];
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]!}`;
}
