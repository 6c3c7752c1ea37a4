import type { Command } from 'commander';

/** Adds its commands to the program; loads what they need only when they run. */
export type AddCommands = (program: Command) => void;

type Load = () => Promise<AddCommands>;

const stack: Load = async () => (await import('./stack/commands.ts')).addStackCommands;
const workload: Load = async () => (await import('./workload/commands.ts')).addWorkloadCommands;
const machine: Load = async () => (await import('./machine/commands.ts')).addMachineCommands;
const context: Load = async () => (await import('./context/commands.ts')).addContextCommands;
const certificate: Load = async () => (await import('./certificate/commands.ts')).addCertificateCommands;
const service: Load = async () => (await import('./service/commands.ts')).addServiceCommands;
const volume: Load = async () => (await import('./volume/commands.ts')).addVolumeCommands;
const grid: Load = async () => (await import('./grid/commands.ts')).addGridCommands;
const explain: Load = async () => (await import('./explain/commands.ts')).addExplainCommand;
const doctor: Load = async () => (await import('./doctor/commands.ts')).addDoctorCommands;
const ingress: Load = async () => (await import('./ingress/commands.ts')).addIngressCommands;
const node: Load = async () => (await import('./node/commands.ts')).addNodeCommands;

/** First word of the command line → the file that knows it. */
export const commandFiles: ReadonlyMap<string, Load> = new Map([
  ['deploy', stack],
  ['rm', stack],
  ['stack', stack],
  ['rollback', stack],
  ['diff', stack],
  ['service', service],
  ['restart', service],
  ['ps', workload],
  ['logs', workload],
  ['exec', workload],
  ['attach', workload],
  ['port-forward', workload],
  ['cp', workload],
  ['scale', workload],
  ['events', workload],
  ['explain', explain],
  ['node', node],
  ['ingress', ingress],
  ['certificate', certificate],
  ['grid', grid],
  ['doctor', doctor],
  ['volume', volume],
  ['context', context],
  ['kubeconfig', context],
  ['up', machine],
  ['down', machine],
  ['server', machine],
  ['agent', machine],
]);
