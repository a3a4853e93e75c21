// Draws the figures with `data-chart` by uPlot: lines, bars and stacked bars over time, on the clocks of the chart's zone.
"use strict";

(() => {
  const drawn = new Map();
  const REST = -1; // in place of a hue: what is added up of the groups that are not drawn is grey

  function colour(number) {
    if (number === REST) return ink("--soft");
    return getComputedStyle(document.documentElement).getPropertyValue(`--series-${(number % 8) + 1}`).trim();
  }

  function ink(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function short(value) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (size >= 1e9) return `${+(value / 1e9).toFixed(1)} bn`;
    if (size >= 1e6) return `${+(value / 1e6).toFixed(1)} m`;
    if (size >= 1e4) return `${+(value / 1e3).toFixed(1)} k`;
    return `${+value.toFixed(2)}`;
  }

  function whole(value) {
    return value === null || value === undefined ? "–" : value.toLocaleString("en");
  }

  // Each series on top of the ones before it; the topmost is drawn first, so that all are seen.
  function stacked(series) {
    const sums = [];
    return series.map((each) => each.values.map((value, at) => {
      sums[at] = (sums[at] ?? 0) + (value ?? 0);
      return sums[at];
    }));
  }

  // The length of an interval in seconds; those of the calendar differ, so it is the shortest.
  function step(times) {
    let least = Infinity;
    for (let at = 1; at < times.length; at++) least = Math.min(least, times[at] - times[at - 1]);
    return Number.isFinite(least) ? least : 3600;
  }

  // Bars of several series stand beside each other, unless they are stacked.
  function barPaths(chart, place) {
    const count = chart.series.length;
    if (chart.kind === "stacked" || count === 1) return uPlot.paths.bars({ size: [0.8, 60], align: 1 });
    const wide = step(chart.times) * 0.8, each = wide / count;
    return uPlot.paths.bars({
      align: 1,
      disp: {
        x0: { unit: 1, values: () => chart.times.map((time) => time + place * each) },
        size: { unit: 1, values: () => [each] },
      },
    });
  }

  // Tells the page which intervals were drawn over, from the start of the first to the end of the last.
  function tellZoom(figure, chart) {
    return (plot) => {
      if (plot.select.width < 4) return;
      const { times } = chart, length = step(times);
      const [low, high] = [plot.select.left, plot.select.left + plot.select.width].map((left) => plot.posToVal(left, "x"));
      const first = Math.max(0, times.findLastIndex((time) => time <= low));
      const after = times.findIndex((time) => time >= high);
      const end = after < 0 ? times[times.length - 1] + length : times[after];
      plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
      const detail = { start: times[first], end, zone: chart.zone };
      figure.dispatchEvent(new CustomEvent("airtally:zoom", { bubbles: true, detail }));
    };
  }

  // Labels of the axis by the distance of its ticks in seconds, with what is said below where it changes. On 24 hours, with
  // the month as a word: no country reads them wrongly.
  const DAY_BELOW = "\n{D} {MMM} {YYYY}", NONE = [null, null, null, null, null];
  const TICKS = [
    [31536000, "{YYYY}", null, ...NONE, 1],
    [2419200, "{MMM}", "\n{YYYY}", ...NONE, 1],
    [86400, "{D} {MMM}", "\n{YYYY}", ...NONE, 1],
    [60, "{HH}:{mm}", DAY_BELOW, null, DAY_BELOW, null, null, null, 1],
    [1, "{HH}:{mm}:{ss}", DAY_BELOW, null, DAY_BELOW, null, null, null, 1],
  ];

  // Where a chart has days, weeks or months, no tick stands within a day.
  const DAY = 86400, WHOLE_DAYS = [1, 2, 3, 7, 14, 30, 61, 91, 182, 365, 730].map((days) => days * DAY);

  function options(figure, chart, width, height, own) {
    const bars = chart.kind !== "line", zooms = "zoom" in figure.dataset;
    const axis = { stroke: ink("--soft"), grid: { stroke: ink("--line"), width: 1 }, ticks: { stroke: ink("--line") } };
    return {
      width, height,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), chart.zone),
      padding: [null, 40, null, null],
      scales: {
        x: { range: (_, low, high) => [low, high + (bars ? step(chart.times) : 0)] }, // bars begin at their time
        y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high ?? 0) > 0 ? high * 1.05 : 1] },
      },
      axes: [{ ...axis, values: TICKS, ...(step(chart.times) >= DAY * 0.95 && chart.times.length > 1 ? { incrs: WHOLE_DAYS } : {}) }, { ...axis, size: 64, values: (_, ticks) => ticks.map(short) }],
      cursor: { drag: { x: true, y: false, setScale: !zooms } },
      hooks: zooms ? { setSelect: [tellZoom(figure, chart)] } : {},
      legend: { live: true },
      series: [
        { value: (_, at) => at === null ? "–" : moment(at, chart.zone) },
        ...own.map(({ each, values, number, hue }) => ({
          label: each.label, stroke: colour(hue), width: bars ? 0 : 1.75, spanGaps: false,
          paths: bars ? barPaths(chart, number) : uPlot.paths.linear(), dash: each.dashed ? [4, 4] : undefined,
          fill: bars ? colour(hue) + (each.dashed ? "73" : "") : undefined,
          points: { show: !bars && chart.times.length < 40 },
          value: (_, __, ___, at) => at === null || at === undefined ? "–" : whole(each.values[at]),
        })),
      ],
    };
  }

  const clocks = new Map();

  function moment(seconds, zone) {
    if (!clocks.has(zone)) {
      clocks.set(zone, new Intl.DateTimeFormat("en-CA", {
        timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
      }));
    }
    return clocks.get(zone).format(new Date(seconds * 1000)).replace(",", "");
  }

  // The chart as it is drawn, with its title and the names of its series: a picture that can be understood alone.
  function image(figure) {
    const made = drawn.get(figure);
    if (!made) return undefined;
    const plot = made.ctx.canvas, ratio = plot.width / made.width, line = 20 * ratio;
    const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
    const names = made.series.slice(1).filter((each) => each.show);
    const font = (weight) => `${weight} ${13 * ratio}px system-ui, sans-serif`;
    const rows = placed(pen, names, plot.width - line, line, font("normal"));
    canvas.width = plot.width;
    canvas.height = plot.height + line * (rows.count + 2.5);
    pen.fillStyle = ink("--surface");
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.fillStyle = ink("--ink");
    pen.font = font("600");
    pen.fillText(figure.querySelector("figcaption").textContent, line / 2, line * 1.1);
    pen.drawImage(plot, 0, line * 1.6);
    pen.font = font("normal");
    for (const { each, left, row } of rows.found) {
      const top = plot.height + line * (row + 2.4);
      pen.fillStyle = each._stroke ?? each.stroke();
      pen.fillRect(left, top - line / 2, line / 2, line / 2);
      pen.fillStyle = ink("--ink");
      pen.fillText(each.label, left + line * 0.8, top);
    }
    return canvas.toDataURL("image/png");
  }

  // Where each name of a legend goes: in rows of the given width.
  function placed(pen, names, width, line, font) {
    pen.font = font;
    let left = line / 2, row = 0;
    const found = names.map((each) => {
      const wide = pen.measureText(each.label).width + line * 1.6;
      if (left + wide > width && left > line) { left = line / 2; row += 1; }
      const place = { each, left, row };
      left += wide;
      return place;
    });
    return { found, count: row + 1 };
  }

  function draw(figure) {
    const chart = JSON.parse(figure.querySelector("script").textContent);
    const plot = figure.querySelector(".plot");
    const columns = chart.kind === "stacked" ? stacked(chart.series) : chart.series.map((each) => each.values);
    let hue = -1; // an earlier time has the colour of the series before it
    let own = chart.series.map((each, number) => ({ each, values: columns[number], number, hue: each.rest ? REST : each.dashed ? hue : ++hue }));
    if (chart.kind === "stacked") own = own.reverse();
    drawn.get(figure)?.destroy();
    plot.replaceChildren();
    if (!chart.times.length) { plot.textContent = "No rows in this time."; return; }
    const width = Math.max(240, plot.clientWidth), height = Number(figure.dataset.height) || 220;
    const data = [chart.times, ...own.map((each) => each.values)];
    drawn.set(figure, new uPlot(options(figure, chart, width, height, own), data, plot));
    figure.dataset.drawn = "yes";
  }

  function drawAll(root) {
    const figures = [...root.querySelectorAll("[data-chart]")];
    if (root.matches?.("[data-chart]")) figures.push(root);
    figures.forEach(draw);
  }

  function resized() {
    for (const [figure, made] of drawn) {
      if (!figure.isConnected) { made.destroy(); drawn.delete(figure); continue; }
      const width = Math.max(240, figure.querySelector(".plot").clientWidth);
      if (width !== made.width) made.setSize({ width, height: made.height });
    }
  }

  let waiting;
  window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(resized, 100); });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));
  document.addEventListener("DOMContentLoaded", () => drawAll(document));
  document.addEventListener("htmx:load", (event) => { if (event.detail.elt !== document.body) drawAll(event.detail.elt); });
  window.airtallyCharts = { image };
})();
