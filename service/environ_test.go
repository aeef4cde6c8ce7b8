package service_test

import (
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

func TestConfigFromEnv(t *testing.T) {
	c, err := service.ConfigFromEnv([]string{
		"PATH=/bin", "MUSTER_NAME=bank", "MUSTER_BROKERS= a:9092, b:9092,", "MUSTER_CALL_TIMEOUT=750ms", "MUSTER_LANES=2", "MUSTER_STAY_MEMBER=true",
		"MUSTER_TLS=true", "MUSTER_SASL_MECHANISM=SCRAM-SHA-512", "MUSTER_SASL_USER=alice", "MUSTER_SASL_PASSWORD_FILE=/run/secrets/kafka",
		"MUSTER_SASL_PASSWORD=", "MUSTER_DEDUP_WINDOW=",
		"MUSTER_SERVICE_HOST=10.0.0.1", "MUSTER_PORT_8080_TCP=tcp://10.0.0.1:8080", "MUSTER_KAFKA_REAL=1",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := service.Config{Name: "bank", Brokers: []string{"a:9092", "b:9092"}, CallTimeout: 750 * time.Millisecond, Lanes: 2, StayMember: true}
	want.Kafka.TLS.Enabled = true
	want.Kafka.SASL = kafka.SASL{Mechanism: kafka.ScramSHA512, User: "alice", PasswordFile: "/run/secrets/kafka"}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("%+v\nwant\n%+v", c, want)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

// The URL stands for many, and what is set beside it wins, wherever it stands.
func TestURLFromEnv(t *testing.T) {
	c, err := service.ConfigFromEnv([]string{
		"MUSTER_TLS_SERVER_NAME=kafka", "MUSTER_URL=kafka+sasl_ssl://alice@a:1,b:2?ca=ca.pem&prefix=stage.", "MUSTER_SASL_PASSWORD_FILE=f",
	})
	want := service.Config{Brokers: []string{"a:1", "b:2"}, Prefix: "stage."}
	want.Kafka.TLS = kafka.TLS{Enabled: true, CAFile: "ca.pem", ServerName: "kafka"}
	want.Kafka.SASL = kafka.SASL{Mechanism: kafka.ScramSHA512, User: "alice", PasswordFile: "f"}
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("%+v, %v\nwant\n%+v", c, err, want)
	}
}

func TestConfigFromEnvReportsAllFaults(t *testing.T) {
	_, err := service.ConfigFromEnv([]string{"MUSTER_CALL_TIMEOUTS=1s", "MUSTER_BROKER=a:1", "MUSTER_LANES=many", "MUSTER_WARM_TIME=5", "MUSTER_TLS=perhaps"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, says := range []string{
		"MUSTER_CALL_TIMEOUTS is not known; did you mean MUSTER_CALL_TIMEOUT?", "MUSTER_BROKER is not known; did you mean MUSTER_BROKERS?",
		`MUSTER_LANES: "many" is no whole number`, `MUSTER_WARM_TIME: "5" is no duration`, `MUSTER_TLS: "perhaps" is neither`,
	} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v\ndoes not say %q", err, says)
		}
	}
}

// Flags win over the environment, and secrets have none.
func TestFlags(t *testing.T) {
	c, err := service.ConfigFromEnv([]string{"MUSTER_NAME=bank", "MUSTER_LANES=2", "MUSTER_SASL_PASSWORD=hush"})
	if err != nil {
		t.Fatal(err)
	}
	flags := flag.NewFlagSet("bank", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	c.RegisterFlags(flags)
	if err := flags.Parse([]string{"-lanes", "3", "-tls", "-warm-time=2h", "-existing-topics=false", "rest"}); err != nil {
		t.Fatal(err)
	}
	if c.Name != "bank" || c.Lanes != 3 || !c.Kafka.TLS.Enabled || c.WarmTime != 2*time.Hour || c.ExistingTopics || c.Kafka.SASL.Password != "hush" {
		t.Errorf("%+v", c)
	}
	if flags.Lookup("sasl-password") != nil {
		t.Error("a password can be given on the command line")
	}
	if err := flags.Parse([]string{"-lanes", "x"}); err == nil || !strings.Contains(err.Error(), "no whole number") {
		t.Errorf("%v", err)
	}
}

// plainFields gives every field of a configuration that a text can hold, and sets none.
func plainFields(v reflect.Value, path string, found map[string]reflect.Value) {
	for i := range v.NumField() {
		field, name := v.Field(i), path+v.Type().Field(i).Name
		switch field.Interface().(type) {
		case kafka.TLS, kafka.SASL:
			plainFields(field, name+".", found)
		case kafka.Config:
			found[name+".ClientID"] = field.FieldByName("ClientID")
			for _, part := range []string{"TLS", "SASL"} {
				plainFields(field.FieldByName(part), name+"."+part+".", found)
			}
		case string, kafka.Secret, bool, int, time.Duration, []string:
			found[name] = field
		}
	}
}

// Every field that a text can hold is set by exactly one variable, and by nothing but it; docs/configuration.md has a row for each.
func TestEverySettingHasItsVariable(t *testing.T) {
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]string{} // field -> variable
	rows := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`MUSTER_") {
			continue
		}
		rows++
		variable := strings.Trim(strings.TrimSpace(cells[1]), "`")
		if variable == "MUSTER_URL" {
			continue // sets many at once; it has a test of its own
		}
		var c service.Config
		var err error
		for _, value := range []string{"true", "7", "7s"} {
			if c, err = service.ConfigFromEnv([]string{variable + "=" + value}); err == nil {
				break
			}
		}
		if err != nil {
			t.Errorf("docs/configuration.md has %s: %v", variable, err)
			continue
		}
		fields := map[string]reflect.Value{}
		plainFields(reflect.ValueOf(c), "", fields)
		for name, field := range fields {
			if !field.IsZero() {
				if before := by[name]; before != "" {
					t.Errorf("%s and %s both set %s", variable, before, name)
				}
				by[name] = variable
			}
		}
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		c.RegisterFlags(flags)
		wanted := strings.Trim(strings.TrimSpace(cells[2]), "`")
		if f := flags.Lookup(strings.TrimPrefix(wanted, "-")); wanted != "none" && (f == nil || !strings.Contains(f.Usage, strings.TrimSpace(cells[4])) ||
			!strings.Contains(f.Usage, "default: "+strings.TrimSpace(cells[3])+"; "+variable)) {
			t.Errorf("docs/configuration.md has %q; the flag is %+v", strings.TrimSpace(line), f)
		}
	}
	fields := map[string]reflect.Value{}
	plainFields(reflect.ValueOf(service.Config{}), "", fields)
	for name := range fields {
		if strings.HasSuffix(name, "PEM") {
			continue // a file or a program gives those
		}
		if by[name] == "" {
			t.Errorf("no row of docs/configuration.md sets %s: add a line to settings and a row there", name)
		}
	}
	all := flag.NewFlagSet("", flag.ContinueOnError)
	(&service.Config{}).RegisterFlags(all)
	n := 2 // the password and the URL, which may hold one, have none
	all.VisitAll(func(*flag.Flag) { n++ })
	if rows != n {
		t.Errorf("docs/configuration.md has %d variables, there are %d", rows, n)
	}
}

func ExampleConfigFromEnv() {
	c, err := service.ConfigFromEnv([]string{"MUSTER_NAME=bank", "MUSTER_BROKERS=kafka-1:9093,kafka-2:9093", "MUSTER_SASL_PASSWORD=hush"})
	if err != nil {
		fmt.Println(err)
		return
	}
	flags := flag.NewFlagSet("bank", flag.ContinueOnError)
	c.RegisterFlags(flags)
	if err := flags.Parse([]string{"-call-timeout", "2s"}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Name, c.Brokers, c.CallTimeout, c.Kafka.SASL.Password)
	_, err = service.ConfigFromEnv([]string{"MUSTER_CALL_TIMOUT=2s"})
	fmt.Println(err)
	// Output:
	// bank [kafka-1:9093 kafka-2:9093] 2s (secret)
	// service: variable MUSTER_CALL_TIMOUT is not known; did you mean MUSTER_CALL_TIMEOUT?
}
