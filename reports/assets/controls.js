
  // ---- Moving about -----------------------------------------------------------

  const zoom = d3.zoom()
    .filter((event) => (event.type !== 'wheel' || event.ctrlKey || event.metaKey) && !event.button)
    .on('zoom', (event) => {
      transform = event.transform;
      x = transform.rescaleX(base);
      draw();
      moveBrush();
      listSoon();
    });
  const brush = d3.brushX().on('brush end', (event) => {
    if (!event.sourceEvent) return; // moved by moveBrush
    if (event.selection) show(...event.selection.map(base.invert), false);
    else if (event.type === 'end') showAll();
  });
  const view = d3.select(lanes), strip = d3.select(overview.querySelector('svg'));

  // show makes a range fill the view.
  function show(from, to, smooth) {
    const least = end / zoom.scaleExtent()[1];
    if (to - from < least) { const middle = (from + to) / 2; from = middle - least / 2; to = middle + least / 2; }
    const k = (base.range()[1] - gutter) / (base(to) - base(from));
    const t = d3.zoomIdentity.translate(gutter - k * base(from), 0).scale(k);
    (smooth ? view.transition().duration(350) : view).call(zoom.transform, t);
  }
  const showAll = () => view.transition().duration(250).call(zoom.transform, d3.zoomIdentity);

  function moveBrush() {
    const whole = transform.k <= 1.001;
    strip.call(brush.move, whole ? null : x.domain().map(base));
  }

  function limits() {
    const area = [[gutter, 0], [width - right, height]];
    zoom.scaleExtent([1, Math.max(1, end / 20e3)]).extent(area).translateExtent(area); // down to 20 microseconds
  }

  function resize() {
    const w = $('timeline').clientWidth;
    if (w === width || w < gutter + 100) return;
    const domain = x.domain();
    const first = width === 0;
    width = w;
    base = d3.scaleLinear().domain([0, end]).range([gutter, width - right]);
    fit(canvas.lanes, width, height);
    fit(canvas.overview, width, 54);
    hatched = null;
    limits();
    brush.extent([[gutter, 0], [width - right, 54]]);
    strip.attr('width', width).attr('height', 54).call(brush);
    drawOverview();
    if (first) { x = base; draw(); list(); } else show(...domain, false);
  }

  // ---- What is under the pointer ------------------------------------------------

  function under(px, py) {
    if (px < gutter) return null;
    const row = rows.find((r) => py >= r.y && py < r.y + r.h);
    const here = (f) => py < 26 || row && row.kind === 'node' && f.nodes.includes(row.label);
    const flag = data.flags.find((f) => f.at && here(f) && Math.abs(x(f.at) - px) < 7);
    if (flag) return { flag };
    if (!row) return null;
    const t = x.invert(px), near = x.invert(px + 4) - t;
    const covers = (e) => t >= e.at - near && t <= Math.max(e.until || (row.kind === 'fault' ? e.at : end), e.at) + near;
    switch (row.kind) {
      case 'client': return nearest(row.lanes, t, near);
      case 'fault': case 'phases': { const e = row.events.findLast(covers); return e && { event: e }; }
      case 'node': {
        const mark = row.marks.findLast((e) => Math.abs(x(e.at) - px) < 7);
        const e = mark || row.spans.findLast(covers);
        return e && { event: e, row };
      }
    }
    return null;
  }

  // nearest prefers evidence among the operations within reach of the pointer.
  function nearest(lanes, t, near) {
    const within = [];
    for (const ops of lanes) {
      for (let i = firstReturning(ops, t - near); i < ops.length && ops[i].invoke <= t + near; i++) within.push(ops[i]);
    }
    if (!within.length) return null;
    const beneath = (op) => lanes.length > 1 && op.outcome === 'unknown';
    const distance = (op) => (evidence.has(op.id) ? -near : beneath(op) ? near : 0) + Math.max(0, op.invoke - t, t - op.return);
    return { op: d3.least(within, distance) };
  }

  function tell(hit, event) {
    tip.replaceChildren();
    const line = (text, cls) => tip.append(node('div', text, cls));
    if (hit.op) {
      const op = hit.op;
      const head = node('div');
      head.append(node('b', 'operation ' + op.id), ', client ' + (op.who ? op.who + ' (' + op.client + ')' : op.client) + ', ', node('span', op.outcome, 'o-' + op.outcome));
      tip.append(head);
      line(instant(op.invoke) + ' to ' + instant(op.return) + ' (' + duration(op.return - op.invoke) + ')' + (op.phase ? ', ' + op.phase : ''), 't');
      line(clip(op.text, 600));
      if (op.error) line(clip(op.error, 300), 'o-unknown');
      if (statements(op)) line(statements(op), 'sql');
      if (evidence.has(op.id)) line('evidence of a finding', 'o-unknown');
    } else if (hit.event) {
      const e = hit.event;
      tip.append(node('b', (e.node ? e.node + ': ' : '') + e.kind));
      line(instant(e.at) + (e.until ? ' to ' + instant(e.until) + ' (' + duration(e.until - e.at) + ')' : ''), 't');
      if (e.words || e.text) line(e.words || e.text);
      if (e.planned) line('in the plan: ' + e.planned + ' after the beginning of the storm', 't');
      if (e.meant) line('meant ' + e.meant.join(', '));
      if (e.idle) line('it hit nothing', 'o-unknown');
    } else {
      tip.append(node('b', 'finding'));
      line(clip(hit.flag.text, 600));
    }
    tip.style.display = 'block';
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(8, Math.min(event.clientX + 14, window.innerWidth - box.width - 12)) + 'px';
    tip.style.top = (event.clientY + 18 + box.height > window.innerHeight ? event.clientY - box.height - 12 : event.clientY + 18) + 'px';
  }

  // foldableAt is the group whose label is at a place.
  function foldableAt(px, py) {
    const row = px < gutter && rows.find((r) => py >= r.y && py < r.y + r.h);
    return row && foldable.includes(row.group) ? row.group : null;
  }

  function fold(groups, open) {
    for (const g of groups) g.open = open;
    $('fold').textContent = foldable.some((g) => !g.open) ? 'Unfold all' : 'Fold all';
    layout();
    fit(canvas.lanes, width, height);
    hatched = null;
    limits();
    draw();
  }

  lanes.addEventListener('mousemove', (event) => {
    const hit = event.buttons ? null : under(event.offsetX, event.offsetY);
    lanes.style.cursor = hit || foldableAt(event.offsetX, event.offsetY) ? 'pointer' : '';
    if (hit) tell(hit, event); else tip.style.display = 'none';
  });
  lanes.addEventListener('mouseleave', () => { tip.style.display = 'none'; });
  lanes.addEventListener('click', (event) => {
    const group = foldableAt(event.offsetX, event.offsetY);
    if (group) return fold([group], !group.open);
    const hit = under(event.offsetX, event.offsetY);
    if (hit && hit.op) select(hit.op, false);
    else if (hit && hit.flag && hit.flag.ops.length) together(hit.flag.ops);
    else if (hit && hit.flag) around(hit.flag.at);
  });

  // ---- The list -----------------------------------------------------------------

  const listMax = 300;
  let timer = 0;
  function listSoon() {
    clearTimeout(timer);
    timer = setTimeout(list, 120);
  }

  function list() {
    const [from, to] = x.domain();
    const inView = data.ops.filter((op) => matching.has(op) && op.return >= from && op.invoke <= to);
    let shown = inView;
    if (inView.length > listMax) {
      // Around what was selected, else from the beginning of the view.
      const at = selected ? Math.max(0, inView.indexOf(selected)) : 0;
      const first = Math.max(0, Math.min(at - listMax / 2, inView.length - listMax));
      shown = inView.slice(first, first + listMax);
    }
    const count = inView.length.toLocaleString('en');
    $('operations-title').textContent = 'Operations: ' + count + ' in view' + (shown.length < inView.length ? ', ' + listMax + ' of them listed' : '');
    $('operations').tBodies[0].replaceChildren(...shown.flatMap(item));
    const current = $('operations').querySelector('tr.selected');
    if (current) current.parentNode.parentNode.parentNode.scrollTop = Math.max(0, current.offsetTop - 120);
  }

  function item(op) {
    const tr = node('tr');
    if (op === selected) tr.classList.add('selected');
    if (evidence.has(op.id)) tr.classList.add('evidence-row');
    tr.append(node('td', op.id), node('td', op.who || op.client), node('td', instant(op.invoke)), node('td', duration(op.return - op.invoke), 'n'),
      node('td', op.outcome, 'o-' + op.outcome), node('td', op.text + (op.error ? '  [' + op.error + ']' : '')));
    tr.addEventListener('click', () => select(op, false));
    if (op !== selected || !statements(op)) return [tr];
    const more = node('tr'), cell = node('td', statements(op), 'sql');
    cell.colSpan = 6;
    more.append(cell);
    return [tr, more];
  }

  // select marks an operation; with centre it is brought into view, with some of
  // what went on around it.
  function select(op, centre) {
    selected = op;
    if (centre) {
      const margin = Math.max(2 * (op.return - op.invoke), end / 400);
      show(op.invoke - margin, op.return + margin, true);
    }
    draw();
    list();
  }

  function together(ids) {
    const ops = ids.map((id) => byId.get(id)).filter(Boolean);
    if (!ops.length) return;
    const from = d3.min(ops, (op) => op.invoke), to = d3.max(ops, (op) => op.return), margin = (to - from) * 0.08;
    selected = ops[0];
    show(from - margin, to + margin, true);
    list();
  }

  // around brings an instant into view, with some of what went on before and after.
  const around = (at) => show(at - end / 40, at + end / 40, true);

  // ---- Controls -----------------------------------------------------------------

  $('zoom-in').addEventListener('click', () => view.transition().duration(200).call(zoom.scaleBy, 2));
  $('zoom-out').addEventListener('click', () => view.transition().duration(200).call(zoom.scaleBy, 0.5));
  $('zoom-all').addEventListener('click', showAll);
  $('fold').hidden = !foldable.length;
  $('fold').addEventListener('click', () => fold(foldable, foldable.some((g) => !g.open)));
  $('filter').addEventListener('input', filter);
  for (const outcome of ['ok', 'failed', 'unknown']) {
    $('show-' + outcome).addEventListener('change', (event) => {
      if (event.target.checked) hidden.delete(outcome); else hidden.add(outcome);
      filter();
    });
  }
  if ($('copy')) $('copy').addEventListener('click', () => {
    navigator.clipboard.writeText($('command').textContent).then(() => { $('copy').textContent = 'Copied'; });
  });
  const toTimeline = () => $('timeline').scrollIntoView({ behavior: 'smooth', block: 'center' });
  const onClick = (attribute, act) => document.querySelectorAll('[' + attribute + ']').forEach((b) => b.addEventListener('click', () => {
    act(b.getAttribute(attribute));
    toTimeline();
  }));
  const selectById = (id) => { if (byId.has(id)) select(byId.get(id), true); };
  onClick('data-op', (id) => selectById(Number(id)));
  onClick('data-ops', (ids) => together(ids.split(',').map(Number)));
  onClick('data-at', (at) => around(Number(at)));

  // key explains what is drawn, of events only those that there are.
  function key() {
    const swatch = (style, text) => {
      const e = node('span', undefined, 'key'), i = node('i');
      i.style.background = style;
      e.append(i, text);
      return e;
    };
    const has = (kind) => data.events.some((e) => e.kind === kind);
    const items = [];
    if (evidence.size) items.push(swatch(color.evidence, 'evidence'));
    if (data.nodes.length) items.push(swatch(color.up, 'up'));
    if (has('down')) items.push(swatch(color.down, 'down'));
    if (has('paused')) items.push(swatch('repeating-linear-gradient(45deg, #d9b3e6 0 3px, #f3e6f8 3px 6px)', 'paused'));
    if (has('stalled')) items.push(swatch(color.stalled, 'writes stalled'));
    if (faults.length) items.push(swatch(color.fault, 'fault'));
    if (faults.some((f) => f.idle)) {
      const e = swatch(color.idle, 'fault that hit nothing');
      e.firstChild.style.outline = '1px dashed ' + color.idleInk;
      items.push(e);
    }
    for (const [kind, mark] of Object.entries(marks)) {
      if (!has(kind)) continue;
      const e = node('span', undefined, 'key'), sign = node('span', mark.sign);
      sign.style.color = mark.color;
      e.append(sign, mark.name || kind);
      items.push(e);
    }
    if (data.flags.length) {
      const e = node('span', '✕ finding', 'key');
      e.style.color = color.evidence;
      items.push(e);
    }
    $('key').replaceChildren(...items);
  }

  key();
  view.call(zoom);
  new ResizeObserver(resize).observe($('timeline'));
  resize();
  // report.html#op=12 opens the page at an operation.
  function goTo() {
    const wanted = /^#op=(\d+)$/.exec(location.hash);
    if (!wanted) return;
    selectById(Number(wanted[1]));
    $('timeline').scrollIntoView({ block: 'center' });
  }
  window.addEventListener('hashchange', goTo);
  goTo();
})();
