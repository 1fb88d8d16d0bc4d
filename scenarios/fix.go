package scenarios

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"simrun/sim/plan"
)

// Fix has every plan of the scenario take a value for a knob, written as in a plan but
// without quotes. The knob is one that scenarios draw or, beyond them, one of a plan's
// knobs. All other choices of a seed stay what they are, for each is drawn from a stream
// of its own. Whether the value is in its range, the plan's validation tells.
func (s *Scenario) Fix(name, value string) error {
	if drawn := plan.Field(&s.Knobs, name); drawn.IsValid() {
		v, err := plan.ParseValue(drawn.Type().Elem(), value)
		if err != nil {
			return err
		}
		drawn.Set(reflect.Append(reflect.Zero(drawn.Type()), v))
		return nil
	}
	field := plan.Field(&plan.Knobs{}, name)
	if !field.IsValid() {
		return fmt.Errorf("there is no knob of that name; there are %s", strings.Join(knobNames(), ", "))
	}
	if _, err := plan.ParseValue(field.Type(), value); err != nil {
		return err
	}
	s.fixed = append(s.fixed, [2]string{name, value})
	return nil
}

// fix sets the knobs of a plan that scenarios do not draw.
func (s *Scenario) fix(p *plan.Plan) {
	for _, knob := range s.fixed {
		field := plan.Field(&p.Knobs, knob[0])
		v, err := plan.ParseValue(field.Type(), knob[1])
		if err != nil {
			panic(err) // Fix has parsed it
		}
		field.Set(v)
	}
}

// knobNames are the names that Fix takes.
func knobNames() []string {
	names := append(plan.FieldNames(reflect.TypeFor[Knobs]()), plan.FieldNames(reflect.TypeFor[plan.Knobs]())...)
	slices.Sort(names)
	return slices.Compact(names)
}
