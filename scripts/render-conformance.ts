// docs/reference/conformance.md: which of Kubernetes' conformance tests are re-expressed, and why the others are not.
import { globSync, readFileSync } from 'node:fs';
import { elsewhere } from '../test/conformance/elsewhere.ts';

/** Tests in Kubernetes' list (`test/conformance/testdata/conformance.yaml` whose newest tests came with release 1.32) by group. */
const upstreamCounts: Readonly<Record<string, number>> = {
  'sig-api-machinery': 93,
  'sig-apps': 54,
  'sig-architecture': 1,
  'sig-auth': 9,
  'sig-cli': 17,
  'sig-instrumentation': 4,
  'sig-network': 41,
  'sig-node': 88,
  'sig-scheduling': 11,
  'sig-storage': 90,
};

export interface OwnTest {
  readonly testname: string;
  readonly file: string;
}

/** Titles of `conformance(…)` in the files of test/conformance, in their order. */
export function findConformanceTests(): OwnTest[] {
  return globSync('test/conformance/*.test.ts')
    .sort()
    .flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/\bconformance(?:Alone)?\(\s*(?:'([^']+)'|"([^"]+)")/g)].map((match) => ({
        testname: match[1] ?? match[2] ?? '',
        file,
      })),
    );
}

/** What is wrong with the mapping, in sentences. */
export function conformanceProblems(): string[] {
  const tests = findConformanceTests();
  const names = tests.map(({ testname }) => testname);
  const doubled = names.filter((name, index) => names.indexOf(name) !== index);
  const total = Object.values(upstreamCounts).reduce((sum, count) => sum + count, 0);
  const others = elsewhere.reduce((sum, { count }) => sum + count, 0);
  return [
    ...doubled.map((name) => `conformance tests: "${name}" is there twice`),
    ...(tests.length + others === total
      ? []
      : [
          `conformance tests: ${tests.length} re-expressed and ${others} others are not the ${total} of Kubernetes' list`,
        ]),
  ];
}

export function renderConformance(): string {
  const tests = findConformanceTests();
  const total = Object.values(upstreamCounts).reduce((sum, count) => sum + count, 0);
  const inLab = elsewhere.filter(({ isInLab }) => isInLab).reduce((sum, { count }) => sum + count, 0);
  const link = (file: string) => `[${file.split('/').at(-1)}](../../${file})`;
  return `# Kubernetes' conformance tests

Made by \`node scripts/conformance.ts\` from the titles in \`test/conformance\` and the list in \`test/conformance/elsewhere.ts\`;
\`scripts/check-docs.ts\` keeps it equal to them.

Kubernetes' list has ${total} tests. ${tests.length} of them ask for nothing but the API and controllers: they are re-expressed, in
words and code of our own, and run against a server process over HTTPS with all controllers and simulated agents:
\`node scripts/test-conformance.ts\`, also a step of \`./test.sh\`. All of them pass, or \`./test.sh\` fails. ${inLab} more need containers:
of what they ask for, the tests of the lab show what is served. The other ${total - tests.length - inLab} ask for what is not served.

Where Kubernetes' test uses a ReplicationController, a ReplicaSet stands in its place; endpoints are read from EndpointSlices;
revisions are made directly instead of by a DaemonSet; the lists in chunks are of ConfigMaps instead of PodTemplates.

This is not a claim of conformance: that needs all of them.

## Re-expressed

| Kubernetes' name | file |
| --- | --- |
${tests.map(({ testname, file }) => `| ${testname} | ${link(file)} |`).join('\n')}

## Of containers: in the lab

| group | tests | where, and what is not served |
| --- | --- | --- |
${rowsOf(true)}

## Not served

| group | tests | why |
| --- | --- | --- |
${rowsOf(false)}
`;
}

function rowsOf(isInLab: boolean): string {
  return elsewhere
    .filter((one) => one.isInLab === isInLab)
    .map(({ group, count, why }) => `| ${group} | ${count} | ${why} |`)
    .join('\n');
}
