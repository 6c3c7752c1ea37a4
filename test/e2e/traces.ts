import { readdir, readFile } from 'node:fs/promises';
import { run } from './lab.ts';

/** Everything on this machine that belongs to a lab of this name, one line each; none when it left nothing behind. */
export async function tracesOf(labName: string): Promise<readonly string[]> {
  const [namespaces, links, mounts, processes, groups, directories] = await Promise.all([
    readdir('/run/netns').catch(() => []),
    run(['ip', '-br', 'link']).then((ended) => ended.stdout.split('\n')),
    readFile('/proc/self/mounts', 'utf8').then((text) => text.split('\n')),
    processesOf(labName),
    cgroupsOf(labName),
    readdir('/var/lib/flotilla-lab').catch(() => []),
  ]);
  const mark = `fllab-${labName}-`;
  return [
    ...namespaces.filter((name) => name.startsWith(mark)).map((name) => `namespace ${name}`),
    ...links.filter((line) => line.startsWith(`lab-${labName}@`)).map((line) => `link ${line}`),
    ...mounts
      .filter((line) => line.includes(mark) || line.includes(`/flotilla-lab/${labName}/`))
      .map((line) => `mount ${line}`),
    ...processes.map((line) => `process ${line}`),
    ...groups.map((path) => `control group ${path}`),
    ...directories.filter((name) => name === labName).map((name) => `directory ${name}`),
  ];
}

/**
 * By their arguments or by their control group: containers' processes know nothing of the lab. Ended ones that this
 * machine's process 1 has not reaped yet do not count.
 */
async function processesOf(labName: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [stat, argv, group] = await Promise.all([
        readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''),
        readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
        readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => ''),
      ]);
      const isOfLab = argv.includes(`/flotilla-lab/${labName}/`) || group.includes(`fllab-${labName}-`);
      return isOfLab && !/\) [ZX] /.test(stat) ? [`${pid} ${argv.replaceAll('\0', ' ')}`] : [];
    }),
  );
  return found.flat();
}

async function cgroupsOf(labName: string): Promise<readonly string[]> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  const points = new Set(mounts.filter(([, , type]) => type?.startsWith('cgroup')).map(([, point]) => point ?? ''));
  const found = await Promise.all(
    [...points].map(async (point) => {
      const groups = await readdir(point).catch(() => []);
      return groups.filter((group) => group.startsWith(`fllab-${labName}-`)).map((group) => `${point}/${group}`);
    }),
  );
  return found.flat();
}
