/** Who sent it is told by us alone, or by those whom the grid trusts; who they speak for is then the client in all rules. */
export function forwardedLines(trusted: string | undefined): readonly string[] {
  const own = [
    '  http-request set-header X-Forwarded-For %[src]',
    '  http-request set-header X-Forwarded-Proto %[var(txn.proto)]',
    '  http-request set-header X-Forwarded-Host %[req.hdr(host)]',
    '  http-request set-header X-Forwarded-Port %[dst_port]',
    '  http-request set-header Forwarded "for=%[src];host=\\"%[req.hdr(host)]\\";proto=%[var(txn.proto)]"',
    '  http-request set-header Forwarded "for=\\"[%[src]]\\";host=\\"%[req.hdr(host)]\\";proto=%[var(txn.proto)]" if { src -m sub : }',
  ];
  const dropped = ['  http-request del-header x-forwarded- -m beg', '  http-request del-header x-real-ip'];
  if (trusted === undefined) return [...dropped, ...own];
  const isTrusted = '{ var(txn.trusted) -m bool }';
  // A chain of trusted ones is followed from its end, four at most.
  const hops = [1, 2, 3, 4].map(
    (hop) => `  http-request set-src req.hdr_ip(x-forwarded-for,-${hop}) if ${isTrusted} { src -f ${trusted} }`,
  );
  return [
    '  http-request set-var(txn.peer) src',
    `  http-request set-var(txn.trusted) bool(true) if { src -f ${trusted} }`,
    `  http-request set-var(txn.proto) req.hdr(x-forwarded-proto),lower if ${isTrusted} { req.hdr(x-forwarded-proto),lower -m str http https }`,
    ...hops,
    ...dropped.map((line) => `${line} unless ${isTrusted}`),
    ...own.map((line) => onlyFor(line, isTrusted)),
    `  http-request set-header X-Forwarded-For "%[req.fhdr(x-forwarded-for)], %[var(txn.peer)]" if ${isTrusted} { req.hdr(x-forwarded-for) -m found }`,
    `  http-request set-header X-Forwarded-For %[var(txn.peer)] if ${isTrusted} !{ req.hdr(x-forwarded-for) -m found }`,
    `  http-request set-header X-Forwarded-Proto %[var(txn.proto)] if ${isTrusted} !{ req.hdr(x-forwarded-proto) -m found }`,
    `  http-request set-header X-Forwarded-Host %[req.hdr(host)] if ${isTrusted} !{ req.hdr(x-forwarded-host) -m found }`,
    `  http-request set-header X-Forwarded-Port %[dst_port] if ${isTrusted} !{ req.hdr(x-forwarded-port) -m found }`,
    `  http-request add-header Forwarded for=%[var(txn.peer)] if ${isTrusted} !{ var(txn.peer) -m sub : }`,
    `  http-request add-header Forwarded "for=\\"[%[var(txn.peer)]]\\"" if ${isTrusted} { var(txn.peer) -m sub : }`,
  ];
}

function onlyFor(line: string, isTrusted: string): string {
  return line.includes(' if ') ? `${line} !${isTrusted}` : `${line} unless ${isTrusted}`;
}
