/** What a unit needs to know of this machine. */
export interface UnitFacts {
  /** Node with its flags, and gantryd: absolute paths. */
  readonly command: readonly string[];
  /** Where the API is served. */
  readonly socketPath: string;
  /** Group that may use it; absent: root alone. */
  readonly group?: string;
}

/** The first line of what we wrote, by which it is known again. */
export const mark = '# Written by gantry system install; gantry system uninstall removes it.';

/** The unit files by name: systemd.socket(5), systemd.service(5). */
export function unitFiles({ command, socketPath, group }: UnitFacts): Readonly<Record<string, string>> {
  return {
    'gantry.socket': `${mark}
[Unit]
Description=Gantry: socket of the Docker API
PartOf=gantry.service

[Socket]
ListenStream=${socketPath}
SocketMode=${group === undefined ? '0600' : '0660'}
SocketUser=root
SocketGroup=${group ?? 'root'}
DirectoryMode=0750
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
`,
    // Containers are children of their monitors, which a stop or a new version of the engine leaves alone: KillMode=process.
    'gantry.service': `${mark}
[Unit]
Description=Gantry container engine
After=network-online.target nss-lookup.target gantry.socket
Wants=network-online.target
Requires=gantry.socket

[Service]
Type=notify
NotifyAccess=main
ExecStart=${[...command, '-H', 'fd://'].map(quoted).join(' ')}
ExecReload=/bin/kill -HUP $MAINPID
TimeoutStartSec=120
TimeoutStopSec=30
WatchdogSec=60
Restart=always
RestartSec=1
KillMode=process
Delegate=yes
OOMScoreAdjust=-500
LimitNOFILE=1048576
LimitNPROC=infinity
TasksMax=infinity

[Install]
WantedBy=multi-user.target
`,
  };
}

/** systemd.service(5), "command lines": percent signs and dollars mean something there. */
function quoted(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w./%$=:@-]+$/.test(plain) ? plain : `"${plain.replaceAll('\\', '\\\\').replaceAll('"', String.raw`\"`)}"`;
}
