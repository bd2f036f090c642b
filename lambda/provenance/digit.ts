/** A decimal digit of any script as one of ours. */
export function digit(of: string): string {
  const point = of.codePointAt(0) as number;
  if (point < 128) return of;
  let zero = point;
  while (zero > point - 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
  return String(point - zero);
}
