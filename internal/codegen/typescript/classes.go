package typescript

func (g *generator) classes() {}
