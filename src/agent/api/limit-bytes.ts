/** The chunks, cut off after so many bytes; all of them without a limit. */
export async function* limitBytes(
  parts: AsyncIterable<{ readonly data: Uint8Array }>,
  limit: number | undefined,
): AsyncIterable<Uint8Array> {
  let left = limit ?? Number.POSITIVE_INFINITY;
  for await (const { data } of parts) {
    if (data.byteLength >= left) {
      if (left > 0) yield data.subarray(0, left);
      return;
    }
    left -= data.byteLength;
    yield data;
  }
}
