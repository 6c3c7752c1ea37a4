import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { hasCode } from '../../../lib/errors.ts';
import { pauseImage } from '../port.ts';
import { pauseArchitecture, renderPauseImage } from './pause-image.ts';
import { renderPauseProgram } from './pause-program.ts';

const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');

/** Path → content, with the sums of the headers held. */
function untar(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let at = 0; archive[at] !== 0; ) {
    const header = Buffer.from(archive.subarray(at, at + 512));
    const text = (from: number, to: number) => header.toString('latin1', from, to).replace(/[\0 ]+$/, '');
    const sum = Number.parseInt(text(148, 156), 8);
    header.fill(' ', 148, 156);
    assert.equal(
      header.reduce((total, byte) => total + byte, 0),
      sum,
    );
    const bytes = Number.parseInt(text(124, 136), 8);
    files.set(text(0, 100), archive.subarray(at + 512, at + 512 + bytes));
    at += 512 + Math.ceil(bytes / 512) * 512;
  }
  return files;
}

describe('the pause program', () => {
  // Both were run, the one for arm64 in an emulator: they block, wait, reap, and end with 0 at SIGTERM and SIGINT.
  const known = {
    amd64: { bytes: 210, machine: 62, sum: '8423976dcb4c56e7de83388ef56fab14bbce24f03b29e09061737d64541d8c04' },
    arm64: { bytes: 244, machine: 183, sum: 'f2d1f12e4b5e1fb500c961b8b96f350ca00d24b384bc045713f1e93d62cb780a' },
  } as const;
  for (const architecture of ['amd64', 'arm64'] as const) {
    it(`is a static executable for ${architecture}`, () => {
      const program = renderPauseProgram(architecture);
      const { bytes, machine, sum } = known[architecture];
      assert.deepEqual([program.length, program.readUInt16LE(18), sha256(program)], [bytes, machine, sum]);
      assert.equal(program.toString('latin1', 1, 4), 'ELF');
      assert.equal(program.readBigUInt64LE(24), program.readBigUInt64LE(80) + 120n, 'it begins after its headers');
      assert.deepEqual(program.readBigUInt64LE(96), BigInt(program.length), 'all of the file is loaded');
    });
  }
});

describe('the pause image', () => {
  it('is what an engine loads: a manifest, a configuration and one layer, whose sums are right', () => {
    const files = untar(renderPauseImage('arm64'));
    const [manifest] = JSON.parse(String(files.get('manifest.json')));
    assert.deepEqual(manifest.RepoTags, [pauseImage]);
    const config = files.get(manifest.Config) ?? Buffer.alloc(0);
    assert.equal(manifest.Config, `${sha256(config)}.json`);
    const layer = files.get(manifest.Layers[0]) ?? Buffer.alloc(0);
    const parsed = JSON.parse(String(config));
    assert.deepEqual([parsed.architecture, parsed.rootfs.diff_ids], ['arm64', [`sha256:${sha256(layer)}`]]);
    assert.deepEqual(untar(layer).get('pause'), renderPauseProgram('arm64'));
  });

  it('is the same each time, so that the engine knows it', () => {
    assert.deepEqual(renderPauseImage('amd64'), renderPauseImage('amd64'));
  });

  it('is for the engine’s architecture, or says that there is none', () => {
    assert.deepEqual(['x86_64', 'amd64', 'aarch64', 'arm64'].map(pauseArchitecture), [
      'amd64',
      'amd64',
      'arm64',
      'arm64',
    ]);
    assert.throws(
      () => pauseArchitecture('riscv64'),
      (error) => hasCode(error, 'Unavailable'),
    );
  });
});
