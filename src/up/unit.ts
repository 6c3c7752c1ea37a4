export interface UnitOptions {
  /** Absolute path of `bin/flotilla`. */
  readonly program: string;
  /** What follows `up`, without `--install`. */
  readonly args: readonly string[];
  /** The node binary that runs now, so that a reboot finds the same. */
  readonly nodeBinary: string;
}

export const unitName = 'flotilla.service';
export const unitPath = `/etc/systemd/system/${unitName}`;

/**
 * systemd.unit(5). Containers belong to Docker and are not in this unit's cgroup: stopping or restarting it touches none.
 */
export function renderUnit(options: UnitOptions): string {
  const command = [options.program, 'up', ...options.args].map(quote).join(' ');
  return `# Written by "flotilla up --install"; removed by "flotilla down --uninstall".
[Unit]
Description=Flotilla server and agent
Wants=network-online.target
After=network-online.target docker.service

[Service]
Type=exec
Environment=FLOTILLA_NODE=${quote(options.nodeBinary)}
Environment=HOME=/root
ExecStart=${command}
Restart=always
RestartSec=1
KillMode=mixed
TimeoutStopSec=90
OOMScoreAdjust=-500
LimitNOFILE=1048576

[Install]
WantedBy=multi-user.target
`;
}

/** systemd.syntax(7): quotes, and `%` and `$` that would be expanded. */
function quote(word: string): string {
  const escaped = word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w@%+=:,./-]+$/.test(word) ? escaped : `"${escaped}"`;
}
