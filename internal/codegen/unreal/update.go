package unreal

import "github.com/stdbgo/spacetime/internal/codegen/source"

const copyEvent = `
	F‹M›ReducerEvent Typed;
	Typed.Timestamp = Event.Timestamp;
	Typed.Status = Event.Status;
	Typed.CallerIdentity = Event.CallerIdentity;
	Typed.CallerConnectionId = Event.CallerConnectionId;
	Typed.EnergyConsumed = Event.EnergyConsumed;
`

// updates writes how messages become events and changes of the tables.
func (g *generator) updates(w *source.Writer) {
	reducer := `
		const uint32 RequestId = Event.GetAsReducer().RequestId;
		const F‹P›Reducer* Call = PendingTypedReducers.Find(RequestId);
		if (!Call)
		{
			HandleProtocolViolation(FString::Printf(TEXT("Reducer result for unknown request_id %u"), RequestId));
			return;
		}
		Typed = F‹M›Event::Reducer(*Call);
`
	if !g.has.v2 {
		reducer = "\n\t\tTyped = F‹M›Event::Reducer(DecodeReducer(Event.GetAsReducer()));\n"
	}
	w.Put(`

void U‹P›DbConnection::DbUpdate(const FDatabaseUpdateType& Update, const FSpacetimeDBEvent& Event)
{
	F‹M›Event Typed;
	Typed.Tag = Event.Tag;
	switch (Event.Tag)
	{
	case ESpacetimeDBEventTag::Reducer:
	{
`+reducer[1:]+`		break;
	}
`, g.holes()...)
	for _, v := range g.eventVariants()[1:] {
		w.Put("\tcase ESpacetimeDBEventTag::‹V›: Typed = F‹M›Event::‹V›(Event.GetAs‹V›()); break;\n", g.holes("V", v.name)...)
	}
	w.Put(`
	default: break;
	}
	F‹P›EventContext Context(this, Typed);
	ApplyRegisteredTableUpdates(Update, &Context);
}
`, g.holes()...)
	g.reducerEvent(w)
	w.Put(`

void U‹P›DbConnection::ReducerEventFailed(const FReducerEvent& Event, const FString ErrorMessage)
{
`+copyEvent[1:]+`	Reducers->InternalOnUnhandledReducerError.Broadcast(F‹P›ReducerEventContext(this, Typed), ErrorMessage);
}
`, g.holes()...)
	if g.has.procedures {
		w.Put(`

void U‹P›DbConnection::ProcedureEventFailed(const FProcedureEvent& Event, const FString ErrorMessage)
{
	Procedures->InternalOnUnhandledProcedureError.Broadcast(F‹P›ProcedureEventContext(this, F‹M›ProcedureEvent(Event)), ErrorMessage);
}
`, g.holes()...)
	}
}

func (g *generator) reducerEvent(w *source.Writer) {
	call := `
	F‹P›Reducer Call;
	if (!PendingTypedReducers.RemoveAndCopyValue(Event.RequestId, Call))
	{
		HandleProtocolViolation(FString::Printf(TEXT("Reducer result for unknown request_id %u"), Event.RequestId));
		return;
	}
`
	if !g.has.v2 {
		call = "\n\tconst F‹P›Reducer Call = DecodeReducer(Event);\n"
	}
	w.Put(`

void U‹P›DbConnection::ReducerEvent(const FReducerEvent& Event)
{
`+call[1:]+copyEvent[1:]+`	Typed.Reducer = Call;
	const F‹P›ReducerEventContext Context(this, Typed);
`, g.holes()...)
	if g.has.v2 {
		w.Put("\tswitch (Call.Tag)\n\t{\n")
		for _, f := range g.root.Reducers {
			w.Put("\tcase E‹P›ReducerTag::‹V›: Reducers->Invoke‹F›WithArgs(Context, Call.GetAs‹V›()); break;\n", g.functionHoles(f, "V", callVariant(f))...)
		}
		w.Put("\tdefault: break;\n\t}\n}\n")
		return
	}
	for _, f := range g.root.Reducers {
		w.Put(`
	if (Call.ReducerName == TEXT(‹c›))
	{
		const ‹Args› CallArgs = Call.GetAs‹V›();
		U‹P›‹F›Reducer* Args = NewObject<U‹P›‹F›Reducer>();
`, g.functionHoles(f, "V", callVariant(f))...)
		for _, p := range f.Params {
			w.Line("\t\tArgs->%s = CallArgs.%s;", pascal(p.Name), pascal(p.Name))
		}
		w.Put(`
		Reducers->Invoke‹F›(Context, Args);
		return;
	}
`, g.functionHoles(f)...)
	}
	w.Line("}")
}
