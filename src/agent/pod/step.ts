/** One thing to do for one pod. Data only: `steps/` has the doing, `describeStep` the words. */
export type PodStep =
  /** Check again that the node has room: two schedulers in a hand-over may both have placed pods here. */
  | { readonly type: 'admit' }
  | {
      readonly type: 'ensure-image';
      /** Name of the container that needs it; so in the steps below. */
      readonly container: string;
      readonly image: string;
      readonly policy: PullPolicy;
    }
  | { readonly type: 'assign-address' }
  /** Directories, files and named volumes that the container mounts. */
  | { readonly type: 'prepare'; readonly container: string }
  | { readonly type: 'create'; readonly container: string; readonly attempt: number; readonly crashes: number }
  | { readonly type: 'start'; readonly container: string; readonly attempt: number }
  /** Run the postStart handler. */
  | { readonly type: 'post-start'; readonly containerId: string }
  /** Somebody paused it; a paused container can be neither used nor stopped. */
  | { readonly type: 'resume'; readonly containerId: string }
  | { readonly type: 'stop'; readonly containerId: string; readonly graceSeconds: number; readonly why: StopReason }
  | { readonly type: 'remove'; readonly containerId: string }
  /** Give up a pull, give the address back, delete directories and files. */
  | { readonly type: 'release' }
  | { readonly type: 'delete-object' }
  /** Nothing can be done before `untilMs`, or before something happens when absent. */
  | { readonly type: 'wait'; readonly untilMs?: number; readonly why: WaitReason };

/** `BuiltIn`: no registry has it, it is made here. */
export type PullPolicy = 'Always' | 'IfNotPresent' | 'Never' | 'BuiltIn';
/** `pause-ended`: the pause container whose address it shared has ended. `host`: the host is going down. */
export type StopReason =
  | 'deleted'
  | 'not-wanted'
  | 'unhealthy'
  | 'outdated'
  | 'surplus'
  | 'finished'
  | 'pause-ended'
  | 'host';
/** `withdrawal`: somebody may still be sent to the pod. */
export type WaitReason = 'image' | 'network' | 'crash-loop' | 'problem' | 'stopping' | 'withdrawal';

export function describeStep(step: PodStep): string {
  switch (step.type) {
    case 'admit':
      return 'check that the node has room';
    case 'ensure-image':
      return `have image "${step.image}" (${step.policy})`;
    case 'assign-address':
      return 'assign an address';
    case 'prepare':
      return `prepare volumes and files of ${step.container}`;
    case 'create':
      return `create container ${step.container}, attempt ${step.attempt}`;
    case 'start':
      return `start container ${step.container}, attempt ${step.attempt}`;
    case 'post-start':
      return `run the postStart handler in container ${step.containerId.slice(0, 12)}`;
    case 'resume':
      return `let container ${step.containerId.slice(0, 12)} go on, which somebody paused`;
    case 'stop':
      return `stop container ${step.containerId.slice(0, 12)} within ${step.graceSeconds} s: ${step.why}`;
    case 'remove':
      return `remove container ${step.containerId.slice(0, 12)}`;
    case 'release':
      return 'give back address and files';
    case 'delete-object':
      return 'delete the pod object';
    case 'wait':
      return `wait for ${step.why}`;
  }
}
