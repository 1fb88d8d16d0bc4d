  // ---- Drawing ----------------------------------------------------------------

  function fit(ctx, w, h) {
    const ratio = window.devicePixelRatio || 1, c = ctx.canvas;
    c.width = Math.round(w * ratio);
    c.height = Math.round(h * ratio);
    c.style.width = w + 'px';
    c.style.height = h + 'px';
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  function draw() {
    const ctx = canvas.lanes;
    ctx.clearRect(0, 0, width, height);
    ctx.font = font;
    ctx.textBaseline = 'middle';
    ctx.save();
    ctx.beginPath();
    ctx.rect(gutter, 22, width - gutter - right, height);
    ctx.clip();
    grid(ctx);
    for (const row of rows) painters[row.kind](ctx, row);
    flags(ctx);
    selection(ctx);
    ctx.restore();
    crosses(ctx);
    axis(ctx);
    labels(ctx);
  }

  // inSeconds is the scale of the axis.
  const inSeconds = () => d3.scaleLinear().domain(x.domain().map((t) => t / 1e9)).range(x.range());

  function axis(ctx) {
    const s = inSeconds(), format = s.tickFormat(10);
    ctx.textAlign = 'center';
    ctx.fillStyle = color.soft;
    for (const t of s.ticks(10)) ctx.fillText(format(t) + 's', s(t), 12);
    ctx.fillStyle = color.evidence;
    for (const f of data.flags.filter((f) => f.at)) {
      const at = x(f.at);
      if (at < gutter || at > width - right) continue;
      ctx.beginPath();
      ctx.moveTo(at, 26);
      ctx.lineTo(at - 5, 18);
      ctx.lineTo(at + 5, 18);
      ctx.fill();
    }
  }

  function grid(ctx) {
    const s = inSeconds();
    ctx.strokeStyle = color.rule;
    for (const t of s.ticks(10)) {
      const at = Math.round(s(t)) + 0.5;
      ctx.beginPath();
      ctx.moveTo(at, 22);
      ctx.lineTo(at, height);
      ctx.stroke();
    }
    ctx.fillStyle = color.band;
    for (const f of faults) {
      if (f.until && !f.idle) band(ctx, f.at, f.until, firstClient, height - firstClient - 4);
    }
  }

  // band fills from one instant to another, at least a visible line; it returns
  // where it begins and how long it is, or null out of view.
  function band(ctx, from, to, y, h, least = 1.5) {
    const a = x(from), w = Math.max(x(to) - a, least);
    if (a + w < gutter || a > width - right) return null;
    ctx.fillRect(a, y, w, h);
    return [a, w];
  }

  // inside writes a label into a band, beginning where the band is in view.
  function inside(ctx, text, at, w, y) {
    const a = Math.max(at, gutter) + 5, room = Math.min(at + w, width - right) - a - 3;
    if (room < 24) return;
    let n = text.length;
    while (n > 1 && ctx.measureText(clip(text, n)).width > room) n = Math.min(n - 1, Math.floor(n * 0.92));
    if (n > 3) ctx.fillText(clip(text, n), a, y);
  }

  const painters = {
    title() {},
    phases(ctx, row) {
      ctx.textAlign = 'left';
      row.events.forEach((e, i) => {
        ctx.fillStyle = i % 2 ? '#e9edf3' : '#dfe5ee';
        const at = band(ctx, e.at, e.until || end, row.y + 2, row.h - 4);
        ctx.fillStyle = color.ink;
        if (at) inside(ctx, e.text, at[0], at[1], row.y + row.h / 2);
      });
    },
    node(ctx, row) {
      if (concerned.has(row.label)) {
        ctx.fillStyle = color.concerned;
        band(ctx, 0, end, row.y, row.h);
      }
      ctx.fillStyle = color.up;
      if (!row.bare) band(ctx, 0, end, row.y + 6, row.h - 12);
      ctx.textAlign = 'left';
      for (const e of row.spans) {
        ctx.fillStyle = e.kind === 'down' ? color.down : e.kind === 'stalled' ? color.stalled : hatch(ctx);
        const at = band(ctx, e.at, e.until || end, row.y + 3, row.h - 6, 2);
        ctx.fillStyle = e.kind === 'down' ? '#fff' : color.ink;
        if (at) inside(ctx, e.text || e.kind, at[0], at[1], row.y + row.h / 2 + 0.5);
      }
      // A split is followed by an election on the same node: one above the other.
      for (const e of row.marks) glyph(ctx, e.kind, x(e.at), row.y + row.h / 2 + (e.kind === 'election' ? 4 : -5));
      if (row.names) {
        ctx.fillStyle = color.soft;
        inside(ctx, 'up all the time: ' + row.names.join(', '), gutter, width, row.y + row.h / 2 + 0.5);
      }
    },
    fault(ctx, row) {
      ctx.textAlign = 'left';
      const drawn = row.events.map((e) => {
        ctx.fillStyle = e.idle ? color.idle : color.fault;
        const at = band(ctx, e.at, e.until || e.at, row.y + 2, row.h - 4, 3);
        if (!at) return null;
        ctx.fillStyle = ctx.strokeStyle = e.idle ? color.idleInk : color.faultEdge;
        if (e.idle) {
          ctx.setLineDash([3, 2]);
          ctx.strokeRect(at[0] + 0.5, row.y + 2.5, at[1] - 1, row.h - 5);
          ctx.setLineDash([]);
        } else ctx.fillRect(at[0], row.y + 2, 2, row.h - 4);
        return at;
      });
      // A label ends where the next band of its row begins, also where they overlap.
      row.events.forEach((e, i) => {
        if (!drawn[i]) return;
        const next = row.events[i + 1];
        ctx.fillStyle = e.idle ? color.idleInk : color.faultInk;
        inside(ctx, e.label, drawn[i][0], (next ? x(next.at) - 3 : width) - drawn[i][0], row.y + row.h / 2 + 0.5);
      });
    },
    client(ctx, row) {
      ctx.fillStyle = color.rule;
      ctx.fillRect(gutter, row.y + row.h - 0.5, width, 0.5);
      const [from, to] = x.domain();
      // What is unknown stays open, perhaps to the end: under what a later life does in the
      // same row, and over what is known where the row is one lane.
      const layers = [[], [], []], open = row.lanes.length > 1 ? 0 : 1;
      for (const ops of row.lanes) {
        for (let i = firstReturning(ops, from); i < ops.length && ops[i].invoke <= to; i++) {
          const op = ops[i];
          layers[evidence.has(op.id) ? 2 : op.outcome === 'unknown' ? open : 1 - open].push(op);
        }
      }
      for (const op of layers.flat()) bar(ctx, row, op);
    },
  };

  // firstReturning finds the first operation of a lane that returns at or after
  // an instant. They do not overlap, so they are in the order of return too.
  const firstReturning = d3.bisector((op) => op.return).left;

  function bar(ctx, row, op) {
    ctx.globalAlpha = matching.has(op) ? 1 : 0.12;
    const accused = evidence.has(op.id);
    ctx.fillStyle = accused ? color.evidence : color[op.outcome];
    band(ctx, op.invoke, op.return, row.y + (accused ? 1 : 2.5), row.h - (accused ? 2 : 5), accused ? 4 : 1.5);
    if (accused && op.outcome === 'unknown') {
      ctx.fillStyle = color.unknown;
      band(ctx, op.invoke, op.return, row.y + row.h - 5, 2.5);
    }
    ctx.globalAlpha = 1;
  }

  function glyph(ctx, kind, at, y) {
    if (at < gutter || at > width - right) return;
    ctx.fillStyle = marks[kind].color;
    ctx.strokeStyle = '#fff';
    ctx.beginPath();
    switch (kind) {
      case 'election': ctx.moveTo(at, y - 6); ctx.lineTo(at + 5.5, y + 5); ctx.lineTo(at - 5.5, y + 5); break;
      case 'split': ctx.moveTo(at, y - 6); ctx.lineTo(at + 5.5, y); ctx.lineTo(at, y + 6); ctx.lineTo(at - 5.5, y); break;
      case 'merge': ctx.moveTo(at, y + 6); ctx.lineTo(at + 5.5, y - 5); ctx.lineTo(at - 5.5, y - 5); break;
      case 'snapshot': ctx.rect(at - 4, y - 4, 8, 8); break;
      default: ctx.arc(at, y, 4, 0, 7);
    }
    ctx.closePath();
    ctx.fill();
    ctx.stroke();
  }

  let hatched = null;
  function hatch(ctx) {
    if (hatched) return hatched;
    const c = document.createElement('canvas'), h = c.getContext('2d');
    c.width = c.height = 8;
    h.fillStyle = '#f3e6f8';
    h.fillRect(0, 0, 8, 8);
    h.strokeStyle = '#cf9fe0';
    h.lineWidth = 2.5;
    h.beginPath();
    for (const d of [-8, 0, 8]) { h.moveTo(d, 8); h.lineTo(d + 8, 0); }
    h.stroke();
    hatched = ctx.createPattern(c, 'repeat');
    return hatched;
  }

  function flags(ctx) {
    for (const f of data.flags.filter((f) => f.at)) {
      const at = Math.round(x(f.at)) + 0.5;
      ctx.strokeStyle = color.evidence;
      ctx.setLineDash([4, 3]);
      ctx.beginPath();
      ctx.moveTo(at, 22);
      ctx.lineTo(at, height);
      ctx.stroke();
      ctx.setLineDash([]);
    }
  }

  // crosses mark the nodes on which findings were seen. Most runs end at an assertion,
  // so that a cross may reach beyond the lane's end.
  function crosses(ctx) {
    for (const f of data.flags.filter((f) => f.at)) {
      const at = x(f.at);
      if (at < gutter || at > width - right + 1) continue;
      for (const row of rows) if (row.kind === 'node' && f.nodes.includes(row.label)) cross(ctx, at, row.y + row.h / 2);
    }
  }

  // cross marks a node on which a finding was seen.
  function cross(ctx, at, y) {
    for (const [style, w] of [['#fff', 5], [color.evidence, 2.5]]) {
      ctx.strokeStyle = style;
      ctx.lineWidth = w;
      ctx.beginPath();
      ctx.moveTo(at - 5, y - 5); ctx.lineTo(at + 5, y + 5);
      ctx.moveTo(at + 5, y - 5); ctx.lineTo(at - 5, y + 5);
      ctx.stroke();
    }
    ctx.lineWidth = 1;
  }

  function selection(ctx) {
    const row = selected && rows.find((r) => r.kind === 'client' && r.lanes.some((ops) => ops.includes(selected)));
    if (!row) return;
    const a = x(selected.invoke), w = Math.max(x(selected.return) - a, 2);
    ctx.fillStyle = 'rgba(31, 95, 191, 0.10)';
    ctx.fillRect(a, 26, w, height);
    ctx.strokeStyle = color.ink;
    ctx.lineWidth = 2;
    ctx.strokeRect(a - 1, row.y + 1.5, w + 2, row.h - 3);
    ctx.lineWidth = 1;
  }

  function labels(ctx) {
    ctx.textAlign = 'left';
    for (const row of rows) {
      ctx.font = row.kind === 'title' ? '650 ' + font : font;
      ctx.fillStyle = row.kind === 'title' ? color.ink : row.kind === 'node' && concerned.has(row.label) ? color.evidence : color.soft;
      ctx.fillText(clip(row.label, 24), 14, row.y + row.h / 2 + 0.5);
    }
  }

  function drawOverview() {
    const ctx = canvas.overview, w = width - gutter - right, n = Math.floor(w / 3), h = 46;
    ctx.clearRect(0, 0, width, 54);
    ctx.font = font;
    ctx.fillStyle = color.soft;
    ctx.textBaseline = 'middle';
    ctx.fillText('operations', 14, 20);
    ctx.fillText('over time', 14, 35);
    const bins = Array.from({ length: n }, () => ({ ok: 0, failed: 0, unknown: 0 }));
    for (const op of data.ops) bins[Math.min(n - 1, Math.floor(op.return / end * n))][op.outcome]++;
    const top = d3.max(bins, (b) => b.ok + b.failed + b.unknown) || 1;
    ctx.fillStyle = 'rgba(142, 90, 168, 0.10)';
    for (const f of faults) if (f.until && !f.idle) ctx.fillRect(base(f.at), 0, Math.max(1, base(f.until) - base(f.at)), 54);
    bins.forEach((b, i) => {
      let y = 54;
      for (const outcome of ['ok', 'failed', 'unknown']) {
        const part = b[outcome] / top * h;
        ctx.fillStyle = color[outcome];
        ctx.fillRect(gutter + i * w / n, y - part, Math.max(1, w / n - 0.6), part);
        y -= part;
      }
    });
    ctx.fillStyle = color.evidence;
    for (const f of data.flags) if (f.at) ctx.fillRect(base(f.at) - 1, 0, 2, 54);
  }
