package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/harfangsync/harfangsync/cmd/httpclient"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/secret"
	hl "github.com/harfangsync/harfangsync/sinks/harfanglab"
	octi "github.com/harfangsync/harfangsync/sources/opencti"
)

// discard reads what a plan reads, with the same clients, and drops it.
func discard(ctx context.Context) error {
	graphql := httpclient.New(httpclient.Options{Platform: httpclient.GraphQL, ReadOnly: true})
	rest := httpclient.New(httpclient.Options{Platform: httpclient.REST, ReadOnly: true})
	from := octi.New(octi.Options{URL: os.Getenv(opencti), Token: secret.Text(os.Getenv("OPENCTI_TOKEN")), HTTP: graphql.Client})
	to := hl.New(hl.Options{URL: os.Getenv(harfanglab), Token: secret.Text(os.Getenv("HARFANGLAB_TOKEN")), HTTP: rest.Client})
	var both errgroup.Group
	both.Go(func() error {
		_, err := from.Read(ctx, nil, time.Now(), true, func([]reconcile.Indicator, int) error { return nil })
		return err
	})
	both.Go(func() error {
		list, err := to.FindList(ctx, reconcile.IOC, listName)
		if err == nil && list == nil {
			err = fmt.Errorf("no list %s", listName)
		}
		if err != nil {
			return err
		}
		_, err = to.Rows(ctx, reconcile.IOC, list.ID, func([]reconcile.Row, int) error { return nil })
		return err
	})
	return both.Wait()
}
