package main

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// The drawing in points: the axes are at its left and bottom edge, and leave room for their numbers.
const (
	wide, high          = 640.0, 240.0
	left, right         = 64.0, 12.0
	top, bottom         = 30.0, 40.0
	inWidth, inHeight   = wide - left - right, high - top - bottom
	marks               = 4 // on each axis, beside that at zero
	secondsPerMinute    = 60.0
	axisStroke, opening = "#888", `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="11">`
)

// plot draws values over time as SVG, from zero up, with the line of their second half in red. Times are in seconds and rise; the axis has minutes.
func plot(title, unit string, times, values []float64, line *fit) []byte {
	most, last := 0.0, times[len(times)-1]
	for _, v := range values {
		most = math.Max(most, v)
	}
	most = roundUp(most)
	x := func(t float64) float64 { return left + inWidth*t/last }
	y := func(v float64) float64 { return top + inHeight*(1-v/most) }
	var b bytes.Buffer
	put := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	put(opening, wide, high)
	put(`<rect width="%g" height="%g" fill="#fff"/>`, wide, high)
	put(`<text x="%g" y="18" font-size="13">%s</text>`, left, title)
	for i := range marks + 1 {
		v, t := most*float64(i)/marks, last*float64(i)/marks
		put(`<line x1="%g" y1="%.1f" x2="%g" y2="%.1f" stroke="#ddd"/>`, left, y(v), wide-right, y(v))
		put(`<text x="%g" y="%.1f" text-anchor="end">%s</text>`, left-6, y(v)+4, number(v))
		put(`<text x="%.1f" y="%g" text-anchor="middle">%s</text>`, x(t), high-bottom+16, number(t/secondsPerMinute))
	}
	put(`<path d="M%g %gV%gH%g" fill="none" stroke="%s"/>`, left, top, high-bottom, wide-right, axisStroke)
	put(`<text x="%g" y="%g" text-anchor="middle">minutes</text>`, left+inWidth/2, high-6)
	put(`<text transform="translate(12 %g) rotate(-90)" text-anchor="middle">%s</text>`, top+inHeight/2, unit)
	b.WriteString(`<polyline fill="none" stroke="#1f6fb2" points="`)
	for i := range times {
		fmt.Fprintf(&b, "%.1f,%.1f ", x(times[i]), y(values[i]))
	}
	put(`"/>`)
	half := times[len(times)/2]
	put(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#c0392b" stroke-dasharray="5 3"/>`, x(half), y(line.at(half)), x(last), y(line.at(last)))
	put(`</svg>`)
	return b.Bytes()
}

// roundUp gives the next number up that has one or two digits and then zeros, so that the axis ends at one.
func roundUp(v float64) float64 {
	if v <= 0 {
		return 1
	}
	step := math.Pow(10, math.Floor(math.Log10(v))) / 2
	return math.Ceil(v/step) * step
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
