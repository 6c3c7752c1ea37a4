/**
 * Numbers endpoints 0…n-1 with as few changes as possible: who stays keeps its number, who comes takes one that fell free,
 * and the last move into what is left open. Duplicates count once.
 */
export function planSlots(previous: readonly string[], desired: readonly string[]): string[] {
  const wanted = new Set(desired);
  const kept = new Set(previous.filter((one) => wanted.has(one)));
  const added = [...wanted].filter((one) => !kept.has(one));
  const slots: (string | undefined)[] = previous.map((one) => (wanted.has(one) ? one : added.shift()));
  slots.push(...added);
  const filled: string[] = [];
  let end = slots.length;
  for (let index = 0; index < end; index++) {
    let one = slots[index];
    while (one === undefined && end > index + 1) one = slots[--end];
    if (one !== undefined) filled.push(one);
  }
  return filled;
}
