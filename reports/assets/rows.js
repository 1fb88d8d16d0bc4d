// Draws the timeline of a run. The data is the JSON in the element #data (see
// pageData in pagedata.go); d3 gives scales, zoom and brush. The page joins this
// file, which lays out what is drawn where, with paint.js and controls.js.
(() => {
  'use strict';
  const $ = (id) => document.getElementById(id);
  if (!$('timeline')) return; // nothing was recorded

  const data = JSON.parse($('data').textContent);
  for (const list of ['nodes', 'events', 'ops', 'flags']) data[list] = data[list] || [];
  data.programs = data.programs || {};

  const gutter = 150, right = 14, font = '12px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif';
  const color = {
    ok: '#6fa3c4', failed: '#b4bac6', unknown: '#e59a1c', evidence: '#c62828', concerned: '#fbe3e1',
    up: '#cfe6d8', down: '#4a4f5c', stalled: '#f0c987', ink: '#1d2433', soft: '#5c667a', rule: '#e6eaf0', wash: '#f5f7fa',
    fault: '#e4d3ee', faultEdge: '#8e5aa8', faultInk: '#4b2b5c', idle: '#fff', idleInk: '#8a93a5', band: 'rgba(142, 90, 168, 0.07)',
  };
  // marks are the events that are instants: how each looks, in the lanes and in the key.
  const marks = {
    election: { sign: '▲', color: '#14532d' }, split: { sign: '◆', color: '#1f5fbf' }, merge: { sign: '▼', color: '#6a3d9a' },
    snapshot: { sign: '■', color: '#7a4b00' }, note: { sign: '●', color: '#1d2433', name: 'other event' },
  };
  const byId = new Map(data.ops.map((op) => [op.id, op]));
  for (const f of data.flags) { f.ops = f.ops || []; f.nodes = f.nodes || []; }
  const evidence = new Set(data.flags.flatMap((f) => f.ops));
  const concerned = new Set(data.flags.flatMap((f) => f.nodes)); // nodes of findings
  const end = Math.max(1, data.virtual, d3.max(data.ops, (op) => op.return) || 0, d3.max(data.events, (e) => e.until || e.at) || 0);

  // ---- Words -----------------------------------------------------------------

  const instant = (ns) => (Math.floor(ns / 1e3) / 1e6).toFixed(6) + 's'; // truncated, as seconds in describe.go
  const duration = (ns) => ns >= 1e9 ? (ns / 1e9).toFixed(3) + ' s' : ns >= 1e6 ? (ns / 1e6).toFixed(2) + ' ms' : (ns / 1e3).toFixed(1) + ' µs';
  const clip = (s, n) => s.length > n ? s.slice(0, n - 1) + '…' : s;
  const node = (name, text, cls) => {
    const e = document.createElement(name);
    if (text !== undefined) e.textContent = text;
    if (cls) e.className = cls;
    return e;
  };

  // statements are those of the program that an operation is of, with its parameters.
  function statements(op) {
    const [name, ...pairs] = (op.note || '').split(' ');
    const values = new Map(pairs.map((p) => [p.slice(0, p.indexOf('=')), p.slice(p.indexOf('=') + 1)]));
    return (data.programs[name] || '').replace(/@(\w+)/g, (all, v) => values.has(v) ? values.get(v) : all);
  }

  // ---- Faults: what was planned, what was meant, what it came to ----------------

  const spans = new Set(['down', 'paused', 'stalled', 'phase', 'fault']);
  const phases = data.events.filter((e) => e.kind === 'phase');
  const faults = data.events.filter((e) => e.kind === 'fault').sort((a, b) => a.at - b.at);
  for (const f of faults) {
    const planned = /^at (\S+) /.exec(f.text);
    f.planned = planned ? planned[1] : ''; // since the storm began
    f.words = f.text.replace(/^at \S+ /, '');
    f.type = f.words.split(' ')[0];
    f.label = (f.meant && f.meant.length < 4 ? f.meant.join(', ') + ' = ' : '') + f.words.slice(f.type.length + 1);
  }

  // ---- Rows: what lies where --------------------------------------------------

  // pack puts bands into as few rows as it takes for them not to overlap, with
  // room for a label where the whole run is in view.
  function pack(bands) {
    const packed = [];
    for (const b of bands) {
      let row = packed.find((r) => r.end <= b.at);
      if (!row) packed.push(row = { end: 0, events: [] });
      row.end = Math.max(b.until || b.at, b.at + end * 0.16);
      row.events.push(b);
    }
    return packed.map((r) => r.events);
  }

  const byInvoke = (a, b) => a.invoke - b.invoke;

  // A group is one row as long as it is folded: the faults of a kind, or all that a
  // client did, in all its lives and lanes. Unfolded it has a row for each of parts.
  const faultGroups = d3.groups(faults, (f) => f.type).map(([type, events]) => ({
    kind: 'fault', label: type + (events.length > 1 ? ' ×' + events.length : ''), h: 20, parts: pack(events).map((list) => ({ events: list })), whole: { events },
  }));
  const clientGroups = d3.groups(data.ops, (op) => op.of).sort((a, b) => a[0] - b[0]).map(([of, ops]) => {
    const lanes = d3.groups(ops, (op) => op.client).sort((a, b) => a[0] - b[0]);
    return {
      kind: 'client', label: 'client ' + of, h: 18, whole: { lanes: lanes.map(([, list]) => list.sort(byInvoke)) },
      parts: lanes.map(([client, list]) => ({ label: list[0].who || 'client ' + client, h: 14, lanes: [list] })),
    };
  });
  const foldable = [...faultGroups, ...clientGroups].filter((g) => g.parts.length > 1);
  let rows = [], height = 0, firstClient = 0;

  const add = (row) => { row.y = height; rows.push(row); height += row.h; };
  const gap = (label) => { height += 4; add({ kind: 'title', label, h: 20 }); };
  function addGroup(g) {
    const sign = g.parts.length > 1 ? (g.open ? '▾ ' : '▸ ') : '   ';
    if (!g.open) return add({ kind: g.kind, label: sign + g.label, h: g.h, group: g, ...g.whole });
    g.parts.forEach((part, i) => add({ kind: g.kind, h: g.h, group: g, ...part, label: i ? '     ' + (part.label || '') : sign + g.label }));
  }

  // layout gives every row its place; it is done again when something is folded.
  function layout() {
    rows = [];
    height = 26; // the axis
    if (phases.length) add({ kind: 'phases', label: 'phase', h: 20, events: phases });
    nodeRows();
    if (faults.length) gap('Faults');
    faultGroups.forEach(addGroup);
    if (clientGroups.length) gap('Clients');
    firstClient = height;
    clientGroups.forEach(addGroup);
    height += 8;
  }

  function nodeRows() {
    const names = data.nodes.concat([...new Set(data.events.map((e) => e.node).filter((n) => n && !data.nodes.includes(n)))]);
    if (names.length) gap('Nodes');
    const idle = []; // to which nothing happened: they share a lane
    for (const name of names) {
      const own = data.events.filter((e) => e.node === name && e.kind !== 'fault');
      if (own.length || concerned.has(name) || names.length < 6) {
        add({ kind: 'node', label: name, h: 22, spans: own.filter((e) => spans.has(e.kind)), marks: own.filter((e) => !spans.has(e.kind)) });
      } else idle.push(name);
    }
    if (idle.length) add({ kind: 'node', label: idle.length > 1 ? idle.length + ' others' : idle[0], h: 22, spans: [], marks: [], names: idle });
    const loose = data.events.filter((e) => !e.node && !spans.has(e.kind));
    if (loose.length) add({ kind: 'node', label: 'cluster', h: 22, spans: [], marks: loose, bare: true });
  }
  layout();

  // ---- State ------------------------------------------------------------------

  const lanes = $('lanes'), overview = $('overview'), tip = $('tip');
  const canvas = { lanes: lanes.getContext('2d'), overview: overview.querySelector('canvas').getContext('2d') };
  let width = 0, base = d3.scaleLinear().domain([0, end]), x = base, transform = d3.zoomIdentity;
  let selected = null, words = '', hidden = new Set(), matching = new Set(data.ops);

  function filter() {
    words = $('filter').value.trim().toLowerCase();
    matching = new Set(data.ops.filter((op) => !hidden.has(op.outcome) && (!words ||
      (op.id + ' client ' + op.client + ' ' + (op.who || '') + ' ' + op.outcome + ' ' + op.text + ' ' + (op.error || '')).toLowerCase().includes(words))));
    draw();
    list();
  }
